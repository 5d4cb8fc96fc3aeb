/** What the demo shows while it runs: a bar on a terminal, plain lines elsewhere. */
import { MultiBar, Presets } from 'cli-progress';
import type { Progress } from './supervise.js';

export interface Screen {
  /** A line of its own. */
  say(line: string): void;
  /** A step with an end, such as the upload. */
  step(name: string, total: number): (done: number) => void;
  /** The job's own progress. */
  job(total: number, kills: number): (progress: Progress) => void;
  close(): void;
}

export function screen(out: NodeJS.WriteStream): Screen {
  return out.isTTY ? bars(out) : plain(out);
}

/** Events a second, over the last few seconds. */
class Rate {
  readonly #samples: { readonly at: number; readonly events: number }[] = [];

  add(events: number): number {
    const at = performance.now();
    // Less than before means that the job was killed: what it had done since its checkpoint is done again.
    if (events < (this.#samples.at(-1)?.events ?? 0)) this.#samples.length = 0;
    this.#samples.push({ at, events });
    while ((this.#samples[0]?.at ?? at) < at - 3000) this.#samples.shift();
    const first = this.#samples[0];
    return first === undefined || at === first.at ? 0 : ((events - first.events) / (at - first.at)) * 1000;
  }
}

const count = (n: number): string => Math.round(n).toLocaleString('en-US');

/** As long as listing goes on, there may be more. */
function objectsOf(input: Progress['input']): string {
  if (input === undefined) return 'listing';
  const { listed, read, complete } = input;
  return `${count(read.objects)}/${count(listed.objects)}${complete ? '' : '+'} objects`;
}

function bars(out: NodeJS.WriteStream): Screen {
  const all = new MultiBar(
    {
      stream: out,
      hideCursor: true,
      clearOnComplete: false,
      fps: 8,
      format: '{name} {bar} {percentage}%  {detail}',
      barsize: 20,
    },
    Presets.shades_classic,
  );
  let current: ReturnType<MultiBar['create']> | undefined;
  const bar = (name: string, total: number) => {
    current?.stop();
    return (current = all.create(total, 0, { name: name.padEnd(9), detail: '' }));
  };
  return {
    say: (line) => all.log(`${line}\n`),
    step(name, total) {
      const one = bar(name, total);
      return (done) => one.update(done, { detail: `${count(done)}/${count(total)}` });
    },
    job(total, kills) {
      const one = bar('clicks', total);
      const rate = new Rate();
      return ({ events, input, checkpoints, kills: killed }) => {
        const speed = `${count(rate.add(events))} records/s`;
        const detail = `${objectsOf(input)}  ${speed}  ${checkpoints.toString()} checkpoints  ${killed.toString()}/${kills.toString()} kills`;
        if (input !== undefined) one.setTotal(input.listed.bytes);
        one.update(input?.read.bytes ?? 0, { detail });
      };
    },
    close: () => all.stop(),
  };
}

function plain(out: NodeJS.WriteStream): Screen {
  const say = (line: string): void => {
    out.write(`${line}\n`);
  };
  const everySeconds = (seconds: number): (() => boolean) => {
    let next = performance.now() + seconds * 1000;
    return () => {
      if (performance.now() < next) return false;
      next = performance.now() + seconds * 1000;
      return true;
    };
  };
  return {
    say,
    step(name, total) {
      const due = everySeconds(5);
      return (done) => {
        if (due() || done === total) say(`${name} ${count(done)}/${count(total)}`);
      };
    },
    job(total, kills) {
      const due = everySeconds(5);
      const rate = new Rate();
      return ({ events, input, checkpoints, kills: killed }) => {
        const speed = rate.add(events);
        if (!due()) return;
        say(
          `clicks ${objectsOf(input)}, ${count(Math.min(events, total))}/${count(total)} events, ${count(speed)} records/s, ` +
            `${checkpoints.toString()} checkpoints, ${killed.toString()}/${kills.toString()} kills`,
        );
      };
    },
    close: () => undefined,
  };
}
