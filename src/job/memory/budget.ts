/**
 * The memory budget of a process: how much its jobs and what runs outside of them (`allowance.ts`) may hold together. Each
 * attempt opens an account, and each holder of memory in it (a source's read-ahead, its records in flight, a sink's buffers)
 * has a share. What cannot be given back (keyed state) is a fixed charge: holders divide what it leaves of the total, and never less than the sum of what they need at least.
 * If fixed charges alone exceed the total, nothing fails, but each attempt that has one is told, once.
 *
 * A holder states the least that it needs to work and the most that it can use. A share has three amounts:
 *
 * - The **target**: the least, plus a part of the difference between most and least. The part is the same for all holders, and
 *   is as large as the total allows. Until its attempt is running, a holder's target is its least, so that sources do not take
 *   the memory that sinks of the same attempt have yet to ask for.
 * - The **charge**: what the holder may be holding. Memory in use cannot be taken away. When the target falls, the
 *   limit falls immediately, and the charge follows when the holder reports that it holds no more than that. When the
 *   target rises, the charge rises by what is not charged to others.
 * - The **limit**: the smaller of the two, which the holder must not exceed by taking more. It is 0 while the charge is below
 *   the least. Holders that wait for their least are served in the order of arrival, and no other share grows meanwhile.
 *
 * Three properties follow, and are tested:
 *
 * 1. Shares never grow beyond what there is to divide, so holders that respect their limits never hold more than the total,
 *    unless fixed charges do not leave them their minimums.
 * 2. No holder waits forever. A holder with its least makes progress without other attempts, so it eventually comes down to
 *    its target, and the targets fit into the total. The minimums must fit as well: a holder whose minimum does not fit is refused.
 * 3. Once all accounts are closed, nothing is charged.
 *
 * Attempts may bring different totals. The smallest total of the open accounts applies. Shares are compared when a part, a
 * journal, a fragment or a credit has been handled, never for each record.
 */
import type { Memory } from '../../flow/index.js';
import { Account, sum, type AccountOptions, type Holder } from './account.js';
import { MemoryTooSmall } from './error.js';

/** One owner's part of the budget: an attempt's, or that of an allowance. */
export interface MemoryAccount extends Memory {
  /** The holders that wait for their minimums: `sink 'out'`. */
  readonly waiting: readonly string[];
  /** All holders of the attempt have a share: from now on, shares may grow. */
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

  /** The sum of all charges of holders. */
  get charged(): number {
    return sum(this.#holders, ({ charged }) => charged);
  }

  /** The sum of the fixed charges. */
  get fixed(): number {
    return sum(this.#accounts, ({ fixed }) => fixed);
  }

  /** The bytes that holders divide: the total without fixed charges, but at least the sum of the minimums. */
  get divided(): number {
    return Math.max(this.#leasts, this.total - this.fixed);
  }

  get #leasts(): number {
    return sum(this.#holders, ({ use }) => use.least);
  }

  /** Errors: `MemoryTooSmall` if the total is less than the other holders need at least. */
  open(options: AccountOptions): MemoryAccount {
    const needed = this.#leasts;
    if (needed > options.total) throw new MemoryTooSmall(options.owner, options.total, needed);
    const account = new Account(options, this.#holders, () => {
      this.#divide();
    });
    this.#accounts.add(account);
    this.#divide();
    const own = (): Holder[] => [...this.#holders].filter((holder) => holder.account === account);
    return {
      share: (use) => {
        const others = this.#leasts;
        if (use.least + others > this.total) throw new MemoryTooSmall(options.owner, this.total, others, use);
        return account.share(use);
      },
      charge: () => account.charge(),
      get waiting() {
        return own().flatMap((holder) => (holder.waits ? [holder.use.who] : []));
      },
      start: () => {
        account.started = true;
        this.#divide();
      },
      close: () => {
        if (!this.#accounts.delete(account)) return;
        for (const holder of own()) this.#holders.delete(holder);
        this.#divide();
      },
    };
  }

  /** Divides the total, and notifies the holders whose limits change, which may give memory back meanwhile. */
  #divide(): void {
    this.#again = true;
    if (this.#dividing) return;
    this.#dividing = true;
    try {
      while (this.#again) {
        this.#again = false;
        for (const holder of this.#charge()) if (this.#holders.has(holder)) holder.tell();
        this.#warn();
      }
    } finally {
      this.#dividing = false;
    }
  }

  #warn(): void {
    const { fixed, total } = this;
    if (fixed > total) for (const account of this.#accounts) account.warn(fixed, total);
  }

  /** Returns the holders whose limits have changed since the last notification. */
  #charge(): Holder[] {
    this.#aim();
    let free = this.divided - this.charged;
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
    const left = this.divided - this.#leasts;
    const part = beyond <= left ? 1 : left / beyond;
    for (const holder of this.#holders) {
      const { least, most } = holder.use;
      holder.target = holder.account.started ? least + Math.floor((most - least) * part) : least;
    }
  }
}
