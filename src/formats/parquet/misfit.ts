import { MillraceError } from '../../errors.js';
import { printable } from '../../printable.js';

/** A value does not fit its column. `path` grows while the error leaves nested values. */
export class Misfit extends Error {
  path = '';

  constructor(readonly what: string) {
    super(what);
  }

  /** Puts `step` before the path. */
  within(step: string): this {
    const joint = this.path === '' || this.path.startsWith('[') ? '' : '.';
    this.path = `${step}${joint}${this.path}`;
    return this;
  }

  /** What the sink is told. The value itself is not in the message. */
  get refusal(): MillraceError {
    const place = this.path === '' ? 'the record' : printable(this.path.slice(0, maxPath));
    return new MillraceError(
      'NotParquet',
      `A record does not fit the schema of parquet(): ${place} ${this.what}. Map it before the sink, or change the type of the column.`,
    );
  }
}

const maxPath = 200;

/** The step of a path to a field. */
export const stepTo = (name: string): string =>
  /^\w+$/.test(name) ? name : `[${JSON.stringify(name.slice(0, maxPath))}]`;
