// The encryption capability's slice of the configuration.
import { daysField, secret, text } from '../server/config/field.ts';

export const encryptionConfig = {
  keyPath: text('ENCRYPTION_KEY_PATH', {
    hint: 'path',
    doc: 'File with the master key: 32 bytes raw, in base64 or in hex, readable by us alone (mode 0600). With POSTGRES_URI set it, or ENCRYPTION_KEY, must be given.',
  }),
  key: secret('ENCRYPTION_KEY', { doc: 'The master key itself, instead of ENCRYPTION_KEY_PATH.' }),
  rotation: daysField('ENCRYPTION_KEY_ROTATION_DAYS', {
    default: '90',
    min: 0,
    max: 3650,
    doc: 'How often keys made on first use get a new version by themselves; 0 is never. Older versions still decrypt.',
  }),
};
