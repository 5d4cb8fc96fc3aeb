import { PartlyFailed } from '../../fs/operations/errors.js';
import { hideUserInfo } from '../../path/index.js';
import { isStoreError } from '../../store/errors.js';
import { standard } from '../locate.js';
import type { Session } from '../session.js';
import { printable, readable } from './text.js';

/** Reports that --no-clobber has kept an existing target. */
export function reportKept({ json, quiet, out, err }: Session, place: string): void {
  const uri = hideUserInfo(place);
  const name = place === standard ? 'standard input' : printable(readable(uri));
  if (json) out.record({ type: 'kept', uri });
  else if (!quiet) err.line(`Not replaced: ${name} has an object at its target.`);
}

/**
 * Separates the failures of targets that were created meanwhile, and are kept, from others. `undefined`: there are none of the
 * former.
 */
export function keptTargets(
  error: unknown,
): { readonly uris: readonly string[]; readonly failed: PartlyFailed | undefined } | undefined {
  if (!(error instanceof PartlyFailed)) return undefined;
  const isThere = (failure: PartlyFailed['failures'][number]): boolean =>
    isStoreError(failure.error, 'AlreadyExists');
  const others = error.failures.filter((failure) => !isThere(failure));
  if (others.length === error.failures.length) return undefined;
  return {
    uris: error.failures.filter(isThere).map(({ uri }) => uri),
    failed: others.length === 0 ? undefined : new PartlyFailed('CopyFailed', 'copied', others),
  };
}
