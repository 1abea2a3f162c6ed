// Jest 30 in ESM mode; types are stripped by Node itself, so what is tested is the source line by line.
export default {
  testEnvironment: 'node',
  extensionsToTreatAsEsm: ['.ts'],
  transform: { '\\.ts$': '<rootDir>/test/strip-types.js' },
  testMatch: ['<rootDir>/src/**/*.test.ts', '<rootDir>/test/**/*.test.ts'],
  testPathIgnorePatterns: ['/node_modules/', '/dist/'],
  modulePathIgnorePatterns: ['<rootDir>/dist/'],
  globalSetup: '<rootDir>/test/stores.ts',
  globalTeardown: '<rootDir>/test/stores-stop.ts',
  testTimeout: 30_000,
  maxWorkers: 2,
};
