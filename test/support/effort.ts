/**
 * How many runs, seeds or crashes a test tries: so many in `npm test`, and so many in CI, where `MILLRACE_TEST_LONG=1`.
 * Tests that have no small form are `*.long.test.ts` instead.
 */
export const effort = (short: number, long: number): number =>
  process.env['MILLRACE_TEST_LONG'] === '1' ? long : short;
