import type { Draft } from '#src/checkpoint/inventory.js';
import type { CheckpointState } from '#src/checkpoint/checkpointState.js';
import type { LogState } from '#src/checkpoint/logState.js';
import type { Manifest } from '#src/checkpoint/manifest.js';
import { stuck, violation } from './invariants.js';
import { actions, firstWorld, type Bounds, type World } from './model.js';

export interface Explored {
  readonly states: number;
  /** The shortest way to a violation, if there is one. */
  readonly counterexample: string | undefined;
}

/** A model that has grown beyond this is a mistake in a test. */
const most = 200_000;

/**
 * Visits every reachable world, breadth first, so that a counterexample is a shortest one. With a `limit` it ends at so
 * many worlds, the nearest ones; without, a model that is too large is an error.
 */
export function explore(bounds: Bounds, limit = Infinity): Explored {
  const key = keyOf();
  const first = firstWorld(bounds);
  const seen = new Set([key(first)]);
  let ring: Visit[] = [{ world: first, from: undefined, label: '' }];
  while (ring.length > 0) {
    const later: Visit[] = [];
    for (const from of ring) {
      const next = actions(from.world!, bounds);
      const waits = next.length === 0 && bounds.stops ? stuck(from.world!, bounds.claims) : undefined;
      if (waits !== undefined) return { states: seen.size, counterexample: trace(from, waits) };
      for (const { world, label } of next) {
        if (seen.size >= limit) return { states: seen.size, counterexample: undefined };
        if (limit === Infinity && seen.size > most)
          throw new Error(`More than ${most} worlds: bound them more tightly.`);
        const id = key(world);
        if (seen.has(id)) continue;
        seen.add(id);
        const visit = { world, from, label };
        const wrong = violation(world, bounds.amends);
        if (wrong !== undefined) return { states: seen.size, counterexample: trace(visit, wrong) };
        later.push(visit);
      }
      from.world = undefined; // from here on only the labels are needed
    }
    ring = later;
  }
  return { states: seen.size, counterexample: undefined };
}

interface Visit {
  world: World | undefined;
  readonly from: Visit | undefined;
  readonly label: string;
}

function trace(visit: Visit, wrong: string): string {
  const lines: string[] = [];
  for (let at: Visit | undefined = visit; at?.from !== undefined; at = at.from) lines.unshift(at.label);
  return [...lines.map((line, i) => `${String(i + 1).padStart(3)}. ${line}`), `  ✗  ${wrong}`].join('\n');
}

/**
 * The key of a world: worlds are equal if their keys are. Parts are immutable and mostly shared, so each is numbered
 * once. What has no influence (how often a PUT was in doubt) is left out.
 */
function keyOf(): (world: World) => string {
  const numbers = new Map<string, number>();
  const known = new WeakMap<object, number>();
  const number = <T extends object>(part: T | undefined, text: (part: T) => string): number => {
    if (part === undefined) return 0;
    const before = known.get(part);
    if (before !== undefined) return before;
    const content = text(part);
    const n = numbers.get(content) ?? numbers.size + 1;
    numbers.set(content, n);
    known.set(part, n);
    return n;
  };
  const manifest = (m: Manifest | undefined): number => number(m, (part) => JSON.stringify(part));
  const draft = (d: Draft | undefined): number => number(d, (part) => JSON.stringify(part));
  const log = (state: LogState): string => {
    const { phase, serial, last, issued, next } = state;
    const inventory = number(state.inventory, ({ objects, pinned, ...rest }) =>
      JSON.stringify([[...objects].sort(), [...pinned].sort(), rest]),
    );
    return `${phase},${serial},${manifest(last?.manifest)},${manifest(issued?.manifest)},${draft(next)},${inventory}`;
  };
  const checkpoints = (state: CheckpointState): number =>
    number(state, ({ log: entries, rounds, ...rest }) => {
      const missing = rounds.map((round) => ({ ...round, missing: [...round.missing].sort() }));
      return `${log(entries)}|${JSON.stringify([missing, { ...rest, settings: 0, rules: 0, participants: 0 }])}`;
    });
  type Attempt = World['attempts'][number];
  const attempt = (a: Attempt): number =>
    number(a, ({ state, asked, completes, deletes, acks, sweeps, seen: has, ...rest }) => {
      const request = asked?.type === 'put' ? 'put' : JSON.stringify(asked);
      const lists = [
        completes.map(({ uid, to }) => `${uid}-${Number(to)}`).sort(),
        deletes.map(String).sort(),
        acks.map((ack) => JSON.stringify(ack)).sort(),
        sweeps.map(({ epoch, newest }) => [epoch, newest.putId]),
      ];
      const told = { ...has, ended: [...has.ended], amended: [...has.amended] };
      return `${checkpoints(state)}|${request}|${JSON.stringify([lists, told, { ...rest, freezing: 0 }])}`;
    });
  return (world) =>
    [
      world.slots.map(manifest).join(),
      world.highest,
      number(world.objects, (part) => JSON.stringify([...part].sort())),
      number(world.uploads, (part) => `u${[...part].sort().join()}`),
      number(world.published, (part) => `p${JSON.stringify([...part].sort())}`),
      JSON.stringify(world.roots),
      world.delayed.map(manifest).sort().join(),
      world.doubts,
      world.wrong,
      world.attempts.map(attempt).join(),
    ].join(';');
}
