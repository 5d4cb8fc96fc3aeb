/**
 * The memory budget of a process: what all of its jobs may hold together. Each attempt opens an account in it, in which each
 * of its holders (a source's read-ahead, its records in flight, a sink's buffers) has a share.
 *
 * A holder names the least that it can work with and the most that it makes use of. From these follows its **target**:
 *
 * - Every holder's target is its least, and of what is left over all leasts, as large a part of what it asks for beyond as
 *   the others get of theirs. A holder of an attempt that is not running yet has its least only: its sources must not fill
 *   up what sinks of the same attempt still have to ask for.
 * - Targets change as attempts open, run and close. Memory that is held cannot be taken away, so what a holder is
 *   **charged** follows its target in its own time: where the target falls, the holder hears of its new limit at once and
 *   is charged less once it reports that it holds no more than that; where it rises, the charge rises as far as nobody
 *   else is charged for that memory.
 * - The **limit** is the smaller of the two: what the holder may grow to. It is 0 as long as the charge is below its least.
 *   Those who wait for their least come first, in the order of their arrival, and nobody grows meanwhile.
 *
 * What follows, and is tested as properties:
 *
 * 1. All charges together never exceed the total; holders that mind their limits never hold more than that together.
 * 2. Nobody waits for ever. A holder with its least gets on without help from other attempts, so it comes down to its target
 *    some time, and the targets together fit. The leasts of all must fit: a holder whose least does not is refused at the start.
 * 3. When all accounts are closed, nothing is charged.
 *
 * Attempts may bring different totals: the smallest counts, for as long as its attempt is open. Nothing here happens for
 * a record: shares are compared when a part, a journal, a fragment or a credit has been dealt with.
 */
import type { Memory, MemoryShare, MemoryUse } from '../../flow/index.js';
import { MemoryTooSmall } from './error.js';

/** What an attempt hears of its shares: one `waits` until its least is there, and then it is `granted`. */
export interface AccountOptions {
  /** The job's name. */
  readonly job: string;
  /** Bytes that all attempts of the process may hold together, as far as this one is concerned. */
  readonly total: number;
  readonly waits: (share: MemoryShare) => void;
  readonly granted: (share: MemoryShare) => void;
}

/** An attempt's part of the budget. */
export interface MemoryAccount extends Memory {
  /** All holders of the attempt are there: their shares may grow. */
  start(): void;
  /** Ends all shares. Idempotent. */
  close(): void;
}

export class MemoryBudget {
  readonly #accounts = new Set<Account>();
  /** In the order of arrival. */
  readonly #holders = new Set<Holder>();
  #dividing = false;
  #again = false;

  /** The smallest total of all open accounts. */
  get total(): number {
    return Math.min(...[...this.#accounts].map(({ options }) => options.total));
  }

  /** What all holders are charged. */
  get charged(): number {
    return sum(this.#holders, ({ charged }) => charged);
  }

  /** Errors: `MemoryTooSmall`, where the total is less than what others cannot do without. */
  open(options: AccountOptions): MemoryAccount {
    const needed = sum(this.#holders, ({ use }) => use.least);
    if (needed > options.total) throw new MemoryTooSmall(options.job, options.total, needed);
    const account = new Account(options, this.#holders, () => {
      this.#divide();
    });
    this.#accounts.add(account);
    this.#divide();
    return {
      share: (use) => {
        const others = sum(this.#holders, (holder) => holder.use.least);
        if (use.least + others > this.total) throw new MemoryTooSmall(options.job, this.total, others, use);
        return account.share(use);
      },
      start: () => {
        account.started = true;
        this.#divide();
      },
      close: () => {
        if (!this.#accounts.delete(account)) return;
        for (const holder of this.#holders) if (holder.account === account) this.#holders.delete(holder);
        this.#divide();
      },
    };
  }

  /** Shares out what there is, and tells those whose limits it changes, who may give memory back meanwhile. */
  #divide(): void {
    this.#again = true;
    if (this.#dividing) return;
    this.#dividing = true;
    try {
      while (this.#again) {
        this.#again = false;
        for (const holder of this.#charge()) if (this.#holders.has(holder)) holder.tell();
      }
    } finally {
      this.#dividing = false;
    }
  }

  /** Returns the holders whose limits are not what they were told. */
  #charge(): Holder[] {
    this.#aim();
    let free = this.total - this.charged;
    let waiting = false;
    for (const holder of this.#holders) {
      const lacks = holder.use.least - holder.charged;
      if (lacks <= 0 || waiting) continue;
      if (lacks > free) waiting = true;
      else free -= holder.grow(lacks);
    }
    if (!waiting)
      for (const holder of this.#holders)
        free -= holder.grow(Math.max(0, Math.min(free, holder.target - holder.charged)));
    return [...this.#holders].filter((holder) => holder.limit !== holder.told);
  }

  #aim(): void {
    const growing = [...this.#holders].filter(({ account }) => account.started);
    const beyond = sum(growing, ({ use }) => use.most - use.least);
    const left = this.total - sum(this.#holders, ({ use }) => use.least);
    const part = beyond <= left ? 1 : left / beyond;
    for (const holder of this.#holders) {
      const { least, most } = holder.use;
      holder.target = holder.account.started ? least + Math.floor((most - least) * part) : least;
    }
  }
}

class Account {
  started = false;

  constructor(
    readonly options: AccountOptions,
    private readonly holders: Set<Holder>,
    readonly divide: () => void,
  ) {}

  share(use: MemoryUse): MemoryShare {
    const holder = new Holder(use, this, () => {
      if (this.holders.delete(holder)) this.divide();
    });
    this.holders.add(holder);
    this.divide();
    holder.arrived();
    return holder;
  }
}

class Holder implements MemoryShare {
  target = 0;
  charged = 0;
  /** The limit that it has heard of. */
  told = 0;
  #waits = false;
  #there = false;

  constructor(
    readonly use: MemoryUse,
    readonly account: Account,
    readonly leave: () => void,
  ) {}

  get limit(): number {
    return this.charged < this.use.least ? 0 : Math.min(this.target, this.charged);
  }

  holds(bytes: number): void {
    const { limit } = this;
    if (bytes > limit || this.charged <= limit || limit === 0) return;
    this.charged = limit;
    this.account.divide();
  }

  grow(bytes: number): number {
    this.charged += bytes;
    return bytes;
  }

  /** It reads its first limit by itself. */
  arrived(): void {
    this.#there = true;
    this.told = this.limit;
    if (this.limit > 0) return;
    this.#waits = true;
    this.account.options.waits(this);
  }

  tell(): void {
    if (!this.#there) return;
    this.told = this.limit;
    this.use.changed();
    if (!this.#waits || this.told === 0) return;
    this.#waits = false;
    this.account.options.granted(this);
  }
}

function sum<T>(all: Iterable<T>, of: (each: T) => number): number {
  let total = 0;
  for (const each of all) total += of(each);
  return total;
}
