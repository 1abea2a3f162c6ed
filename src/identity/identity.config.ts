// What an operator may set about passwords and login.
import { flag, integer, minutesField, secondsField } from '../server/config/field.ts';

export const identityConfig = {
  maxLoginAttempts: integer('MAX_LOGIN_ATTEMPTS', {
    default: '5',
    min: 1,
    max: 100,
    doc: 'Failed logins of one account from one address before that pair is locked. From all addresses together ten times as many are allowed: counted once for the networks that the account logged in from before, once for all others.',
  }),
  lockoutDuration: minutesField('LOCKOUT_DURATION_MINUTES', {
    default: '30',
    min: 0.01,
    max: 1440,
    doc: 'How long a locked account stays locked for that address, and how long a failure is remembered.',
  }),
  passwordMinLength: integer('PASSWORD_MIN_LENGTH', { default: '12', min: 8, max: 128, doc: 'Fewest characters of a new password.' }),
  passwordRequireSpecial: flag('PASSWORD_REQUIRE_SPECIAL', {
    default: 'true',
    doc: 'Whether a new password must hold a character that is neither a letter nor a digit.',
  }),
  hashMemory: integer('PASSWORD_HASH_MEMORY_KIB', {
    default: '19456',
    min: 7168,
    max: 262144,
    doc: 'Memory of one argon2id hash in KiB. Passwords are hashed anew at the next login when a hash parameter changes.',
  }),
  hashPasses: integer('PASSWORD_HASH_PASSES', { default: '2', min: 1, max: 20, doc: 'Passes of one argon2id hash.' }),
  hashLanes: integer('PASSWORD_HASH_LANES', { default: '1', min: 1, max: 16, doc: 'Lanes of one argon2id hash.' }),
  hashThreads: integer('PASSWORD_HASH_THREADS', {
    default: '2',
    min: 1,
    max: 64,
    doc: 'Threads that hash passwords; they start at the first login and hold the memory of one hash each.',
  }),
  hashQueue: integer('PASSWORD_HASH_QUEUE', {
    default: '64',
    min: 1,
    max: 10000,
    doc: 'Logins that may wait for a hashing thread; beyond it a login is answered RESOURCE_EXHAUSTED / LOGIN_BUSY.',
  }),
  setupTokenLife: secondsField('SETUP_TOKEN_SECONDS', {
    default: '900',
    min: 1,
    max: 86_400,
    doc: 'How long the token printed by `security-hub init` can be redeemed.',
  }),
} as const;
