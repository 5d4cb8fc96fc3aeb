import { Subscription } from 'rxjs';
import { InvalidOption, parseSize, type Size } from '../../config/units.js';
import type { Room } from './policy.js';

const least = 64 << 10;

/**
 * The memory budget shared by all readers of one client: bytes requested and not yet passed on.
 *
 * It is never exceeded, and no reader starves or deadlocks:
 *
 * - The bytes that a read needs next are a *demand*. Demands are granted in order, with memory that becomes free without any
 *   consumer's action, since demanded bytes are passed on as soon as they arrive.
 * - Read-ahead gets the remaining memory, up to an equal share for every reader that holds or waits for memory. While a demand
 *   waits, no read-ahead is granted, and readers drop theirs, the one that holds most first.
 */
export class ReadBudget {
  readonly limit: number;
  readonly #members = new Set<Member>();
  readonly #waiting: { readonly member: Member; readonly bytes: number; readonly granted: () => void }[] = [];
  #held = 0;
  #pumping = false;

  /** At least 64 KiB. Default 64 MiB. Throws `InvalidOption`. */
  constructor(limit: Size = '64MiB') {
    this.limit = parseSize('readBudget', limit);
    if (this.limit < least) throw new InvalidOption('readBudget', limit, 'at least 64 KiB');
  }

  /** Bytes taken and not returned. */
  get held(): number {
    return this.#held;
  }

  /** Adds a reader. `squeeze` is called when it must check its room again. */
  join(squeeze: () => void): BudgetShare {
    const member: Member = { held: 0, waiting: 0, squeeze };
    this.#members.add(member);
    return {
      room: () => this.#room(member),
      take: (bytes) => {
        const fits = bytes <= this.#room(member).ahead;
        if (fits) this.#take(member, bytes);
        return fits;
      },
      demand: (bytes, granted) => this.#demand(member, bytes, granted),
      give: (bytes) => {
        member.held -= bytes;
        this.#held -= bytes;
        this.#pump();
      },
      leave: () => {
        this.#members.delete(member);
      },
    };
  }

  #room(member: Member): Room {
    const others = [...this.#members].filter((each) => each !== member && each.held + each.waiting > 0);
    const share = Math.floor(this.limit / (others.length + 1));
    const free = this.limit - this.#held;
    const first = this.#waiting[0];
    if (first !== undefined) return { share, ahead: Math.min(0, free - first.bytes) };
    return { share, ahead: Math.max(0, Math.min(free, share - member.held)) };
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

  /** Grants demands in order. Readers return the memory that the next one lacks. */
  #pump(): void {
    if (this.#pumping) return;
    this.#pumping = true;
    for (let squeezed = new Set<Member>(); ;) {
      const first = this.#waiting[0];
      if (first === undefined) break;
      if (first.bytes <= this.limit - this.#held) {
        this.#waiting.shift();
        first.member.waiting--;
        this.#take(first.member, first.bytes);
        squeezed = new Set();
        first.granted();
        continue;
      }
      const [fullest] = [...this.#members]
        .filter((member) => member.held > 0 && !squeezed.has(member))
        .sort((a, b) => b.held - a.held);
      if (fullest === undefined) break;
      squeezed.add(fullest);
      fullest.squeeze();
    }
    this.#pumping = false;
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
  /** Calls `granted`, possibly synchronously, when the bytes are taken. Unsubscribing before withdraws the demand. */
  demand(bytes: number, granted: () => void): Subscription;
  give(bytes: number): void;
  leave(): void;
}
