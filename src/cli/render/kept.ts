import { hideUserInfo } from '../../path/index.js';
import type { Session } from '../session.js';
import { printable, readable } from './text.js';

/** Says that --no-clobber has left a source where it was. */
export function tellKept({ json, quiet, out, err }: Session, place: string): void {
  const uri = hideUserInfo(place);
  if (json) out.record({ type: 'kept', uri });
  else if (!quiet) err.line(`Not replaced: ${printable(readable(uri))} has an object at its target.`);
}
