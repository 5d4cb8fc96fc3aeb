/**
 * The other end of `childProcess.ts`: loads one workload and executes its messages, with one answer each. It exits
 * with its parent.
 */
import { measure } from './meter.js';
import type { Start, Workload } from './workload.js';
import type { Answer, Order } from './childProcess.js';

let workload: Workload | undefined;

async function obey(order: Order): Promise<Answer> {
  switch (order.type) {
    case 'start': {
      const module = (await import(order.module)) as Partial<Record<string, Start>>;
      const start = module[order.start];
      if (start === undefined) throw new Error(`${order.module} exports no ${order.start}`);
      workload = await start(order.params);
      return { type: 'started', info: workload.info ?? {} };
    }
    case 'round': {
      const round = workload?.round?.bind(workload);
      if (round === undefined) throw new Error('this workload has no rounds');
      const measured = await measure(round);
      const { digest } = measured.result;
      const result = { ...measured.result, digest: typeof digest === 'string' ? digest : await digest() };
      return { type: 'measured', measured: { ...measured, result } };
    }
    case 'close':
      await workload?.close?.();
      return { type: 'closed' };
  }
}

process.on('message', (order: Order) => {
  obey(order).then(
    (answer) => {
      process.send?.(answer, () => {
        if (answer.type === 'closed') process.exit(0);
      });
    },
    (error: unknown) => {
      const text = error instanceof Error ? (error.stack ?? error.message) : String(error);
      process.send?.({ type: 'failed', text } satisfies Answer);
    },
  );
});

process.on('disconnect', () => process.exit(1));
