import { Subscription } from 'rxjs';
import { InvalidOption, parseSize, type Size } from '../../config/units.js';
import { unlimited, type Allow, type Allowance } from '../../flow/index.js';
import type { Room } from './policy.js';

const least = 64 << 10;

/**
 * The memory budget shared by many readers: bytes requested and not yet passed on. While a reader is open, it is
 * an allowance of the memory of the process, so that the limit may fall and rise.
 *
 * It is never exceeded, and no reader starves or deadlocks:
 *
 * - The bytes that a read needs next are a *demand*. Demands are granted in order, with memory that becomes free without any
 *   consumer's action, since demanded bytes are passed on as soon as they arrive.
 * - Read-ahead gets the remaining memory, up to an equal share for every reader that holds or waits for memory. While a demand
 *   waits, no read-ahead is granted, and readers drop theirs, the one that holds most first.
 * - When the limit falls, readers drop read-ahead, too. A demand that was larger than what is left by then stays charged to the
 *   allowance until it is granted, which is when nothing else is held.
 */
export class ReadBudget {
  /** The maximum limit. Bytes. */
  readonly most: number;
  readonly #allow: Allow;
  #allowance: Allowance | undefined;
  readonly #members = new Set<Member>();
  readonly #waiting: { readonly member: Member; readonly bytes: number; readonly granted: () => void }[] = [];
  /** Those that have dropped what they could. */
  readonly #squeezed = new Set<Member>();
  #held = 0;
  #pumping = false;

  /** At least 64 KiB. Default 64 MiB. Throws `InvalidOption`. */
  constructor(most: Size = '64MiB', allow: Allow = unlimited) {
    this.most = parseSize('readBudget', most);
    if (this.most < least) throw new InvalidOption('readBudget', most, 'at least 64 KiB');
    this.#allow = allow;
  }

  /** Bytes taken and not returned. */
  get held(): number {
    return this.#held;
  }

  /** Bytes that may be held now. */
  get limit(): number {
    return this.#allowance?.limit ?? this.most;
  }

  /** Adds a reader. `squeeze` is called when it must check its room again. Errors: `MemoryTooSmall`. */
  join(squeeze: () => void): BudgetShare {
    this.#open();
    const member: Member = { held: 0, waiting: 0, squeeze };
    this.#members.add(member);
    this.#report();
    return {
      room: () => this.#room(member),
      take: (bytes) => {
        const fits = bytes <= this.#room(member).ahead;
        if (fits) this.#take(member, bytes);
        return fits;
      },
      mayDemand: (bytes) => bytes <= this.limit,
      demand: (bytes, granted) => this.#demand(member, bytes, granted),
      give: (bytes) => {
        member.held -= bytes;
        this.#held -= bytes;
        this.#pump();
      },
      leave: () => {
        this.#members.delete(member);
        this.#report();
      },
    };
  }

  #open(): void {
    const before = this.#allowance;
    if (before !== undefined) return;
    const allowance = this.#allow({
      who: 'readers of objects',
      floor: least,
      most: this.most,
      changed: () => {
        this.#pump();
      },
    });
    // Others are told of their limits meanwhile, and what that sets off may open a reader here.
    if (this.#allowance === undefined) this.#allowance = allowance;
    else allowance.leave();
  }

  #room(member: Member): Room {
    const others = [...this.#members].filter((each) => each !== member && each.held + each.waiting > 0);
    const share = Math.floor(this.limit / (others.length + 1));
    const free = this.limit - this.#held;
    const first = this.#waiting[0];
    if (first !== undefined) return { share, ahead: Math.min(0, free - first.bytes) };
    return { share, ahead: free < 0 ? free : Math.max(0, Math.min(free, share - member.held)) };
  }

  #take(member: Member, bytes: number): void {
    member.held += bytes;
    this.#held += bytes;
  }

  #demand(member: Member, bytes: number, granted: () => void): Subscription {
    const demand = { member, bytes, granted };
    this.#waiting.push(demand);
    member.waiting++;
    this.#pump();
    return new Subscription(() => {
      const index = this.#waiting.indexOf(demand);
      if (index < 0) return;
      this.#waiting.splice(index, 1);
      member.waiting--;
      this.#pump();
    });
  }

  /** Grants demands in order. Readers return the memory that the next one lacks, or that is beyond the limit. */
  #pump(): void {
    this.#squeezed.clear();
    if (this.#pumping) return;
    this.#pumping = true;
    for (;;) {
      const first = this.#waiting[0];
      if (first !== undefined && (this.#held === 0 || first.bytes <= this.limit - this.#held)) {
        this.#waiting.shift();
        first.member.waiting--;
        this.#take(first.member, first.bytes);
        this.#squeezed.clear();
        first.granted();
        continue;
      }
      if (first === undefined && this.#held <= this.limit) break;
      const [fullest] = [...this.#members]
        .filter((member) => member.held > 0 && !this.#squeezed.has(member))
        .sort((a, b) => b.held - a.held);
      if (fullest === undefined) break;
      this.#squeezed.add(fullest);
      fullest.squeeze();
    }
    this.#pumping = false;
    this.#report();
  }

  #report(): void {
    if (this.#members.size === 0 && this.#held === 0) {
      const allowance = this.#allowance;
      this.#allowance = undefined;
      allowance?.leave();
      return;
    }
    const demanded = this.#waiting.map(({ bytes }) => bytes);
    this.#allowance?.holds(Math.max(least, this.#held, ...demanded));
  }
}

interface Member {
  held: number;
  /** Pending demands. */
  waiting: number;
  readonly squeeze: () => void;
}

export interface BudgetShare {
  room(): Room;
  /** Takes bytes for read-ahead, if there is room for them. */
  take(bytes: number): boolean;
  /** Whether so much may be demanded. */
  mayDemand(bytes: number): boolean;
  /** Calls `granted`, possibly synchronously, when the bytes are taken. Unsubscribing before withdraws the demand. */
  demand(bytes: number, granted: () => void): Subscription;
  give(bytes: number): void;
  leave(): void;
}
