// Settings of the doors that other software comes through.
import { choice } from '../server/config/field.ts';

export const hubConfig = {
  extAuthzMode: choice('EXT_AUTHZ_MODE', ['enforce', 'shadow'], {
    default: 'enforce',
    doc: "What Envoy's ext_authz gets: `enforce` answers as decided; `shadow` always allows, and reports what it would have done. A route's context extension `mode` comes before it.",
  }),
};
