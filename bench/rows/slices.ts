import { Child } from '../harness/childProcess.js';
import { judge, WrongResult, type Row } from '../harness/row.js';
import { summarize } from '../harness/stats.js';

const program = { module: new URL('../variants/slices.js', import.meta.url).href, start: 'slices' };
const kinds = ['values', 'map', 'timers'] as const;
const phases = ['storeMs', 'restoreMs', 'clearMs', 'cancelMs'] as const;

/**
 * Fresh processes: a job that restarts has no warm code. A turn includes what the garbage collector does on the main
 * thread. The goal is an absolute time, as it is what other work in the process may have to wait.
 */
export const slices: Row = {
  name: 'slices',
  title:
    'longest turn of the event loop while 1 M cells are stored, restored, removed, given back: of 1 M keys, of one key',
  async run({ quick, rounds = quick ? 1 : 3, progress }) {
    const cells = quick ? 10_000 : 1_000_000;
    const metrics: Record<string, number> = {};
    for (const kind of kinds) {
      const measured: Readonly<Record<string, number>>[] = [];
      for (let round = 0; round < rounds; round++) {
        progress(`slices: ${kind}, round ${round + 1}`);
        const child = await Child.start(program, { kind, cells });
        const { result } = await child.round();
        await child.close();
        if (result.digest !== `${cells} of ${cells}, 0 left`)
          throw new WrongResult(`slices: ${kind}: ${result.digest}`);
        measured.push(result.extra ?? {});
      }
      for (const phase of phases)
        metrics[`${kind}.${phase}`] = summarize(measured.map((each) => each[phase] ?? Number.NaN)).median;
    }
    return {
      name: 'slices',
      metrics,
      goals: judge(
        kinds.flatMap((kind) =>
          phases.map((phase) => ({ metric: `${kind}.${phase}`, goal: 10, is: 'at most' as const })),
        ),
        metrics,
      ),
    };
  },
};
