import type { Json } from '../flow/index.js';

/** A position, and the checkpoint that has it. */
interface CheckpointedPosition {
  readonly checkpoint: number;
  readonly position: Json;
}

/** Positions of a source on their way from a barrier to a durable checkpoint. */
export class DurablePositions {
  /** In checkpoints that are not yet durable, in order. */
  readonly #undurable: CheckpointedPosition[] = [];
  #newest: CheckpointedPosition | undefined;

  /** A checkpoint has `position`. */
  add(checkpoint: number, position: Json): void {
    this.#undurable.push({ checkpoint, position });
  }

  /** The checkpoint is durable, and so are those before it. */
  durable(checkpoint: number): void {
    const passed = this.#undurable.filter((each) => each.checkpoint <= checkpoint).length;
    const newest = this.#undurable.splice(0, passed).at(-1);
    if (newest !== undefined) this.#newest = { checkpoint, position: newest.position };
  }

  /** The newest durable position, if it was not taken before. */
  take(): CheckpointedPosition | undefined {
    const newest = this.#newest;
    this.#newest = undefined;
    return newest;
  }

  clear(): void {
    this.#undurable.length = 0;
  }
}
