import type { GatewayEvent } from 'millrace/testing';
import { JobProcess } from '../processes/child.js';
import { conclude } from '../processes/conclude.js';
import { prepare, progress } from '../processes/lives.js';
import { kinds, openTarget, type Hooks, type Target } from '../processes/target.js';
import { effort } from '../support/effort.js';

const records = effort(3500, 8000);
const exact = { lost: 0, duplicated: 0, leftovers: [], wrong: [] };

/** Resolves at the first event that matches. */
function seen(hooks: Hooks, wanted: (event: GatewayEvent) => boolean): Promise<GatewayEvent> {
  return new Promise((resolve) => {
    hooks.observe = (event) => {
      if (!wanted(event)) return;
      hooks.observe = () => undefined;
      resolve(event);
    };
  });
}

describe.each(kinds.filter((kind) => kind !== 'real'))('a process that is paused on %s', (kind) => {
  let target: Target;
  let hooks: Hooks;
  const processes: JobProcess[] = [];
  beforeEach(async () => {
    target = await openTarget(kind);
    hooks = target.hooks!;
  });
  afterEach(async () => {
    await Promise.all(processes.splice(0).map((each) => each.end()));
    await target.close();
  });

  const start = (task: ConstructorParameters<typeof JobProcess>[0]): JobProcess => {
    const process = new JobProcess(task, target.env);
    processes.push(process);
    return process;
  };

  test('with uploads open while another finishes: it ends with Fenced, and the output is exact', async () => {
    const task = await prepare(target, 'a/', records);
    const first = start(task);
    await progress(first);
    await seen(hooks, ({ operation, phase }) => operation === 'UploadPart' && phase === 'effect');
    first.signal('SIGSTOP');
    const second = await start(task).exit;
    expect(second).toMatchObject({ code: 0, last: { type: 'exit', outcome: 'finished' } });
    first.signal('SIGCONT');
    expect(await first.exit).toMatchObject({ code: 1, last: { type: 'exit', code: 'Fenced' } });
    expect(await conclude(target, task, 'a/', records)).toMatchObject(exact);
  });

  const landings = [
    ['has finished, and the slot is free again', 'exit'],
    ['has claimed the log', 'claimed'],
  ] as const;
  test.each(landings.slice(0, effort(1, 2)))(
    'with its manifest in flight, which lands when the other %s',
    async (_, landing) => {
      const task = await prepare(target, 'b/', records);
      const first = start(task);
      await progress(first);
      let release: () => void = () => undefined;
      const manifest = new Promise<string>((issued) => {
        hooks.hold = (_, key) => {
          if (!/\/log\/\d+$/.test(key)) return undefined;
          hooks.hold = () => undefined;
          issued(key);
          return new Promise((resolve) => (release = resolve));
        };
      });
      const key = await manifest;
      first.signal('SIGSTOP');
      const second = start(task);
      await second.line(({ type }) => type === landing);
      if (landing === 'exit') await second.exit;
      const landed = seen(
        hooks,
        (event) => event.key === key && event.phase !== 'started' && event.phase !== 'received',
      );
      release();
      await landed;
      first.signal('SIGCONT');
      expect(await first.exit).toMatchObject({ code: 1, last: { type: 'exit', code: 'Fenced' } });
      expect(await second.exit).toMatchObject({ code: 0, last: { type: 'exit', outcome: 'finished' } });
      expect(await conclude(target, task, 'b/', records)).toMatchObject(exact);
    },
  );
});
