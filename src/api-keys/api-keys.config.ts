// What an operator may set about API keys.
import { daysField } from '../server/config/field.ts';

export const apiKeysConfig = {
  defaultLife: daysField('API_KEY_DEFAULT_DAYS', { default: '90', min: 0.001, max: 3660, doc: 'Life of an API key that asks for none.' }),
  maxLife: daysField('API_KEY_MAX_DAYS', { default: '366', min: 0.001, max: 3660, doc: 'Longest life an API key may ask for.' }),
} as const;
