// What an operator may set about API keys.
import { daysField } from '../server/config/field.ts';

export const apiKeysConfig = {
  maxLife: daysField('API_KEY_MAX_DAYS', {
    default: '0',
    min: 0,
    max: 3650,
    doc: 'Longest life of an API key, and the life of one that asks for none. 0 = no bound: a key that asks for no end has none.',
  }),
} as const;
