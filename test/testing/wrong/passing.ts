import type { OperatorFunction } from 'rxjs';
import {
  type Attempt,
  flowOperator,
  FlowSubscriber,
  type Open,
  type Signal,
} from '../../../src/flow/index.js';

export interface Item {
  n: number;
}

export type Wrong = OperatorFunction<never, unknown>;

/** An operator that passes everything on, except for the given overrides. */
export function passing(wrong: (self: Passing) => Partial<Passing>): Wrong {
  return flowOperator<Item, Item>((out) => {
    const self = new Passing(out);
    return Object.assign(self, wrong(self));
  });
}

export class Passing extends FlowSubscriber<Item, Item> {
  attempt!: Attempt;

  override onOpen(open: Open): void {
    this.attempt = open.attempt;
    this.emit(open);
  }

  override onRecord(value: Item): void {
    this.send(value);
  }

  send(value: Item | Signal): void {
    this.emit(value);
  }

  inTurn(work: () => void): void {
    this.turn(work);
  }

  /** Does `work` after a millisecond. */
  later(work: () => void): void {
    this.add(
      this.attempt.clock.after(1, () => {
        this.turn(work);
      }),
    );
  }
}

/** Holds records for a millisecond; of the signals, `onBarrier` and `onEnd` wait for them, and what is given as well. */
export function delaying(waits: { readonly watermark: boolean; readonly credit: boolean }): Wrong {
  return passing((self) => {
    const after = (value: Item | Signal): void => {
      const copy = 'n' in value ? { ...value } : value;
      self.later(() => {
        self.send(copy);
      });
    };
    return {
      onRecord: after,
      onBarrier: after,
      onEnd: after,
      onWatermark: waits.watermark ? after : self.send.bind(self),
      onCredit: waits.credit ? after : self.send.bind(self),
    };
  });
}
