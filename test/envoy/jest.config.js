// `npm run check:envoy`: what needs an Envoy on this machine. No part of `npm test`.
import common from '../../jest.config.js';

export default {
  ...common,
  rootDir: '../..',
  testMatch: ['<rootDir>/test/envoy/**/*.check.ts'],
  globalSetup: undefined,
  globalTeardown: undefined,
};
