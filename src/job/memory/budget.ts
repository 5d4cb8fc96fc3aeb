/**
 * The memory budget of a process: how much all of its jobs together may hold. Each attempt opens an account, and each holder
 * of memory in it (a source's read-ahead, its records in flight, a sink's buffers) has a share.
 *
 * A holder states the least that it needs to work and the most that it can use. A share has three amounts:
 *
 * - The **target**: the least, plus a part of the difference between most and least. The part is the same for all holders, and
 *   is as large as the total allows. Until its attempt is running, a holder's target is its least, so that sources do not take
 *   the memory that sinks of the same attempt have yet to ask for.
 * - The **charge**: what the holder may be holding. Memory in use cannot be taken away. When the target falls, the limit falls
 *   at once, and the charge follows when the holder reports that it holds no more than that. When the target rises, the charge
 *   rises by what is not charged to others.
 * - The **limit**: the smaller of the two, which the holder must not exceed by taking more. It is 0 while the charge is below
 *   the least. Holders that wait for their least are served in the order of arrival, and no other share grows meanwhile.
 *
 * Three properties follow, and are tested:
 *
 * 1. The charges never exceed the total, so holders that respect their limits never hold more than the total.
 * 2. No holder waits for ever. A holder with its least makes progress without other attempts, so it eventually comes down to
 *    its target, and the targets fit into the total. The leasts must fit as well: a holder whose least does not fit is refused.
 * 3. Once all accounts are closed, nothing is charged.
 *
 * Attempts may bring different totals. The smallest total of the open accounts applies. Shares are compared when a part, a
 * journal, a fragment or a credit has been handled, never for each record.
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
