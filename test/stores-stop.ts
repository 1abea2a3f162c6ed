// After all tests: stop what `stores.ts` started.
export default async function tearDown(): Promise<void> {
  globalThis.testStores?.redis?.kill('SIGKILL');
  await globalThis.testStores?.stopPostgres?.();
}
