// Names that are fixed in the contract and whose capability is not here yet: refused when set to something else.
import { reserved } from './field.ts';

export const reservedConfig = {
  hsmEnabled: reserved('HSM_ENABLED', { default: 'false', doc: 'Keep the master key in a PKCS#11 module.' }),
  hsmUrl: reserved('HSM_URL', { default: '', doc: 'PKCS#11 URI of the module and token.' }),
  mfaIssuerName: reserved('MFA_ISSUER_NAME', { default: '', doc: 'Name that authenticator apps show.' }),
  mfaEnforceForAdmins: reserved('MFA_ENFORCE_FOR_ADMINS', { default: 'true', doc: 'Whether administrators must have a second factor.' }),
  kafkaBrokers: reserved('KAFKA_BROKERS', { default: '', doc: 'Kafka brokers that get the events.' }),
  gdprMode: reserved('GDPR_MODE', { default: 'true', doc: 'Erasure and export for data subjects.' }),
};
