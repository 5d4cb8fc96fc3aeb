import type { Clock, MemoryShare } from '../../flow/index.js';
import { defaultMemory, processMemory } from './process.js';

/** What holds memory without a job: the readers of a client, a copy, a writer. */
export interface AllowanceUse {
  /** Its name in errors: `a copy`. */
  readonly who: string;
  /** Bytes that it needs for progress, and takes in any case. */
  readonly floor: number;
  /** Bytes that it can use, the floor included. */
  readonly most: number;
  /** `limit` has changed. Must not throw. */
  readonly changed: () => void;
}

/**
 * Memory of the process's budget for what runs without a job. Its floor is a fixed charge, and only the rest is a share, so it
 * never waits: a job may wait for it, as when `mapAsync` reads an object, and could not give memory back meanwhile.
 */
export interface Allowance {
  /** Bytes, never below the floor. */
  readonly limit: number;
  /** Reports what is held, whenever that has changed. */
  holds(bytes: number): void;
  /** Nothing is held any more. Idempotent. */
  leave(): void;
}

/** Errors: `MemoryTooSmall` if the memory of this process is less than its jobs need at least. */
export type Allow = (use: AllowanceUse) => Allowance;

/** Allowances of the budget of all that runs on this clock. `total`: as configured; by default as for jobs. */
export function allowances(clock: Clock, total: () => number | undefined): Allow {
  return ({ who, floor, most, changed }) => {
    const account = processMemory(clock).open({
      owner: who,
      total: total() ?? defaultMemory(clock),
      waits: () => undefined,
      granted: () => undefined,
      exceeded: () => undefined,
    });
    account.start();
    const charge = account.charge();
    const shared = Math.max(0, most - floor);
    const share: MemoryShare = account.share({ who, least: 0, most: shared, changed });
    return {
      get limit() {
        return floor + share.limit;
      },
      holds: (bytes) => {
        // Beyond the most there is only what the floor cannot be without, such as a single larger part.
        charge.set(Math.min(bytes, floor) + Math.max(0, bytes - floor - shared));
        share.holds(Math.max(0, bytes - floor));
      },
      leave: () => {
        account.close();
      },
    };
  };
}

/** Without a budget, as in tests, all may have what they can use. */
export const unlimited: Allow = ({ most }) => ({
  limit: most,
  holds: () => undefined,
  leave: () => undefined,
});
