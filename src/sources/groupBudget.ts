/**
 * The memory for the row groups of one source: of all its open objects together. A group is fetched only when its bytes are granted.
 *
 * 1. An object asks to **read** its next group: for the bytes to fetch, and for those of the decoded columns. Those that wait are
 *    served in turn. A request is granted if it fits into the budget, or if no other object has a group to read. So a group
 *    larger than the budget is read alone, and no object waits forever, because every group that is being read comes to an end.
 * 2. While a group is passed on, its object asks for the bytes of the next one **ahead**. Those are granted if they fit and
 *    no object waits to read. When the group's turn has come, only its decoded columns are asked for; a request that is still waiting
 *    is withdrawn.
 * 3. What an object no longer needs, it gives back: the fetched bytes once they are decoded, the columns when their last row is
 *    passed on, and everything when it is closed.
 *
 * So what is held is at most the budget, and one group more if that does not fit beside what was fetched ahead. The budget is a share
 * of the memory of the process, and what exceeds it is a charge there.
 */
import type { Memory, MemoryCharge, MemoryShare } from '../flow/index.js';
import type { FragmentLimits } from './fragmentBudget.js';

/** Bytes that are granted, or asked for. */
export interface Grant {
  /** 0 until it is granted. */
  readonly bytes: number;
  /** Keeps at most this many bytes, and gives back the rest. */
  shrink(bytes: number): void;
  /** Gives back all, or withdraws the request. Idempotent. */
  leave(): void;
}

interface Request {
  readonly kind: 'read' | 'ahead';
  readonly granted: () => void;
  wants: number;
  bytes: number;
}

export class GroupBudget {
  readonly #share: MemoryShare;
  readonly #charge: MemoryCharge;
  readonly #least: number;
  /** In the order of arrival. */
  readonly #waiting = new Set<Request>();
  #held = 0;
  /** The number of groups that are being read. */
  #reading = 0;
  #serving = false;
  #closed = false;

  /** @param who its name in errors */
  constructor({ window, fragment, objects = 1 }: FragmentLimits, memory: Memory, who: string) {
    this.#least = fragment;
    this.#charge = memory.charge();
    const changed = (): void => this.#changed();
    this.#share = memory.share({ who, least: fragment, most: (window + objects + 1) * fragment, changed });
  }

  /** Asks for what a group needs that is read now. `granted` is called once, synchronously or later. */
  read(bytes: number, granted: () => void): Grant {
    return this.#ask({ kind: 'read', granted, wants: bytes, bytes: 0 });
  }

  /** Asks for what is fetched of a group before it is read. */
  ahead(bytes: number, granted: () => void): Grant {
    return this.#ask({ kind: 'ahead', granted, wants: bytes, bytes: 0 });
  }

  /** Nothing is granted any more. */
  close(): void {
    this.#closed = true;
    this.#waiting.clear();
    this.#share.leave();
    this.#charge.leave();
  }

  #ask(request: Request): Grant {
    this.#waiting.add(request);
    let open = true;
    this.#serve();
    return {
      get bytes() {
        return request.bytes;
      },
      shrink: (bytes) => {
        if (!open) return;
        this.#held -= request.bytes - bytes;
        request.bytes = bytes;
        this.#changed();
      },
      leave: () => {
        if (!open) return;
        open = false;
        if (!this.#waiting.delete(request) && request.kind === 'read') this.#reading--;
        this.#held -= request.bytes;
        request.bytes = 0;
        this.#changed();
      },
    };
  }

  #changed(): void {
    if (this.#closed) return;
    this.#count();
    this.#serve();
  }

  /** Grants what fits. A callback may ask for more, and give back. */
  #serve(): void {
    if (this.#serving) return;
    this.#serving = true;
    for (let next = this.#next(); next !== undefined; next = this.#next()) {
      this.#waiting.delete(next);
      next.bytes = next.wants;
      this.#held += next.wants;
      if (next.kind === 'read') this.#reading++;
      this.#count();
      next.granted();
    }
    this.#serving = false;
  }

  #next(): Request | undefined {
    if (this.#closed) return undefined;
    const fits = ({ wants }: Request): boolean => this.#held + wants <= this.#share.limit;
    const waiting = [...this.#waiting];
    const read = waiting.find(({ kind }) => kind === 'read');
    if (read === undefined) return waiting.find(fits);
    return this.#reading === 0 || fits(read) ? read : undefined;
  }

  /** While more is held than the share allows, all beyond its least is charged. */
  #count(): void {
    const excess = this.#held > this.#share.limit ? this.#held - this.#least : 0;
    this.#charge.set(Math.max(0, excess));
    this.#share.holds(this.#held - Math.max(0, excess));
  }
}
