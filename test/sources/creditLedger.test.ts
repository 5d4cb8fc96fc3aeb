import fc from 'fast-check';
import { credit } from '../../src/flow/index.js';
import { CreditLedger } from '../../src/sources/creditLedger.js';

describe('the credit ledger', () => {
  it('releases the minimum over the terminals of a source, for any order, repeats and regressions', () => {
    const report = fc.record({
      terminal: fc.constantFrom('a', 'b', 'c'),
      source: fc.constantFrom('x', 'y'),
      bytes: fc.nat(20),
    });
    fc.assert(
      fc.property(fc.array(report, { maxLength: 60 }), (reports) => {
        const downstream: Record<string, string[]> = { x: ['a', 'b'], y: ['b', 'c'] };
        const told: Record<string, number[]> = { x: [], y: [] };
        const ledger = new CreditLedger((source, bytes) => told[source]!.push(bytes));
        ledger.terminal('a', ['x']);
        ledger.terminal('b', ['x', 'y']);
        ledger.terminal('c', ['y']);
        const highest = new Map<string, number>();
        for (const { terminal, source, bytes } of reports) {
          ledger.release(terminal, credit(source, bytes));
          const key = terminal + source;
          highest.set(key, Math.max(highest.get(key) ?? 0, bytes));
          const minimum = Math.min(...downstream[source]!.map((each) => highest.get(each + source) ?? 0));
          expect(ledger.released(source)).toBe(minimum);
        }
        for (const [source, values] of Object.entries(told)) {
          expect(values).toEqual([...new Set(values)].sort((a, b) => a - b));
          expect(values.at(-1) ?? 0).toBe(ledger.released(source));
        }
      }),
    );
  });

  it('does not limit sources without terminals, and distinguishes terminals that are objects', () => {
    const ledger = new CreditLedger(() => undefined);
    expect(ledger.released('x')).toBe(Infinity);
    const [one, other] = [{}, {}];
    ledger.terminal(one, ['x']);
    ledger.terminal(other, ['x']);
    ledger.release(one, credit('x', 5));
    expect(ledger.released('x')).toBe(0);
  });
});
