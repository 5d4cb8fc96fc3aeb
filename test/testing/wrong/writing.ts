import { Observable } from 'rxjs';
import { type Credit, Service } from '../../../src/flow/index.js';
import { type Item, passing, type Wrong } from './passing.js';

/** The target of {@link writing}. */
export interface Outlet {
  pending: number;
  readonly answers: boolean;
}
export const outlet = new Service<Outlet>('outlet');

/** Writes each record to the outlet, a few at a time, and sends it on. */
export function writing(wrong: { readonly waits?: boolean; readonly leaves?: boolean }): Wrong {
  const { waits = true, leaves = false } = wrong;
  return passing((self) => {
    let underWay = 0;
    let credits: Credit[] = [];
    const write = (to: Outlet): Observable<never> =>
      new Observable((out) => {
        to.pending++;
        if (to.answers) out.complete();
        return () => to.pending--;
      });
    const relieve = (): void => {
      if (underWay > 2 && waits) return;
      for (const credit of credits) self.send(credit);
      credits = [];
    };
    return {
      onRecord: (record: Item) => {
        underWay++;
        const request = write(self.attempt.use(outlet)).subscribe({
          complete: () => {
            underWay--;
            self.inTurn(relieve);
          },
        });
        if (!leaves) self.add(request);
        self.send(record);
      },
      onCredit: (credit: Credit) => {
        credits.push(credit);
        relieve();
      },
    };
  });
}
