import type { CheckpointEffect } from '#src/checkpoint/checkpointState.js';
import type { CheckpointEvent } from '#src/checkpoint/events.js';
import { CheckpointError } from '#src/checkpoint/errors.js';
import type { Attempt } from './model.js';

/** What the world has seen of an attempt, to check what the attempt does next. */
export interface Seen {
  readonly started: readonly number[];
  readonly ended: ReadonlyMap<number, 'durable' | 'failed' | 'subsumed'>;
  /** Since the last durable one. */
  readonly failed: number;
  readonly last: number | undefined;
  readonly endedAt: number;
  /** The uploads of amended committables, by uid. */
  readonly amended: ReadonlyMap<string, string>;
}

export const newlySeen: Seen = {
  started: [],
  ended: new Map(),
  failed: 0,
  last: undefined,
  endedAt: -Infinity,
  amended: new Map(),
};

export interface Watched {
  readonly seen: Seen;
  readonly wrong?: string | undefined;
}

/** Checks an effect against the promises that are not about the store. */
export function watch({ seen, time, state }: Attempt, effect: CheckpointEffect): Watched {
  switch (effect.type) {
    case 'report':
      return watched(seen, time, state.settings.minPauseMs, effect.event);
    case 'settled': {
      const { pending } = state.log.last!.manifest;
      return { seen, wrong: pending[0] && `has settled, and ${pending[0].committable.uid} is pending` };
    }
    case 'fail': {
      const { error } = effect;
      const timedOut = error instanceof CheckpointError && error.code === 'CheckpointFailed';
      const must = seen.failed > state.settings.tolerableFailures || lastFailed(seen);
      return { seen, wrong: timedOut && !must ? 'fails, and had to tolerate it' : undefined };
    }
    default:
      return { seen };
  }
}

/** Checks an attempt after a step against the same promises. */
export function violated({ seen, state, completes }: Attempt): string | undefined {
  if (state.phase === 'failed' || state.phase === 'claiming' || state.phase === 'claimed') return undefined;
  const unconfirmed = new Set(state.log.inventory.pending.map(({ committable }) => committable));
  const left = state.log.last!.manifest.pending.find(
    ({ committable }) => unconfirmed.has(committable) && !completes.includes(committable),
  );
  if (left !== undefined) return `has not been told to publish ${left.committable.uid}`;
  if (seen.failed > state.settings.tolerableFailures)
    return `continues after ${seen.failed} failures in a row`;
  return lastFailed(seen) ? 'continues after its last checkpoint failed' : undefined;
}

function lastFailed({ last, ended }: Seen): boolean {
  return last !== undefined && ended.get(last) === 'failed';
}

function watched(seen: Seen, time: number, minPauseMs: number, event: CheckpointEvent): Watched {
  switch (event.type) {
    case 'checkpoint-started': {
      const { checkpoint, reason } = event;
      const open = seen.started.find((each) => !seen.ended.has(each));
      const started = [...seen.started, checkpoint];
      const wrong =
        seen.last !== undefined
          ? `begins checkpoint ${checkpoint} after its last one`
          : reason !== 'periodic'
            ? undefined
            : open !== undefined
              ? `begins checkpoint ${checkpoint} while ${open} is unfinished`
              : time < seen.endedAt + minPauseMs
                ? `begins checkpoint ${checkpoint} without a pause`
                : undefined;
      return { seen: { ...seen, started, last: reason === 'stop' ? checkpoint : seen.last }, wrong };
    }
    case 'checkpoint-durable':
      return ended({ ...seen, failed: 0, endedAt: time }, event.checkpoint, 'durable');
    case 'checkpoint-failed':
      return ended({ ...seen, failed: seen.failed + 1, endedAt: time }, event.checkpoint, 'failed');
    case 'checkpoint-subsumed':
      return ended(seen, event.checkpoint, 'subsumed');
    default:
      return { seen };
  }
}

/** A checkpoint ends once, and not by itself after a newer one was durable. */
function ended(seen: Seen, checkpoint: number, how: 'durable' | 'failed' | 'subsumed'): Watched {
  const before = seen.ended.get(checkpoint);
  const newer = [...seen.ended].find(([other, end]) => other > checkpoint && end === 'durable');
  const wrong =
    before !== undefined
      ? `reports that checkpoint ${checkpoint} is ${how}, after it was ${before}`
      : newer !== undefined && how !== 'subsumed'
        ? `reports that checkpoint ${checkpoint} is ${how}, after ${newer[0]} was durable`
        : undefined;
  return { seen: { ...seen, ended: new Map(seen.ended).set(checkpoint, how) }, wrong };
}
