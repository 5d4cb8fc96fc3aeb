/** Findings about lifecycle rules, for people and for programs. */
import { safeDays, type LifecycleFinding, type RuleFinding } from '../../job/lifecycleAdvice.js';
import { hideUserInfo, uriBelow } from '../../path/index.js';
import type { ObjectStore } from '../../store/objectStore.js';
import { printable, readable } from './text.js';
import { counted } from './units.js';

/** One line. */
export function lifecycleLine(store: ObjectStore, finding: LifecycleFinding): string {
  return printable(`${finding.verdict.padEnd(7)}  lifecycle  ${messageOf(store, finding)}`);
}

/** A line of JSON. */
export function lifecycleRecord(store: ObjectStore, finding: LifecycleFinding): object {
  const { verdict, problem } = finding;
  return {
    type: 'lifecycle',
    verdict,
    problem,
    uris: urisOf(store, finding),
    ...('rule' in finding ? { rule: finding.rule } : {}),
    message: messageOf(store, finding),
  };
}

function urisOf(store: ObjectStore, finding: LifecycleFinding): readonly string[] {
  const prefixes = 'prefixes' in finding ? finding.prefixes : [''];
  return prefixes.map((prefix) => hideUserInfo(uriBelow(store.uri, prefix)));
}

function messageOf(store: ObjectStore, finding: LifecycleFinding): string {
  const [first = '', ...others] = urisOf(store, finding).map(readable);
  const folders = first + (others.length === 0 ? '' : ` and ${counted(others.length, 'other folder')}`);
  switch (finding.problem) {
    case 'unreadable':
      return `The lifecycle rules of ${first} cannot be read. ${finding.error.message}`;
    case 'no-abort-rule':
      return `No rule aborts all unfinished uploads below ${folders}: set AbortIncompleteMultipartUpload to ${safeDays} days or more, and to more than a job can be down, or leftovers cost money until they are removed.`;
    case 'deletes-checkpoints':
      return `${nameOf(finding)} deletes objects below ${folders} ${whenOf(finding)}: checkpoints need their log, state and journals, however old they are. Exempt checkpoint folders from it.${partOf(finding)}`;
    case 'archives-checkpoints':
      return `${nameOf(finding)} moves objects below ${folders} to an archive ${whenOf(finding)}: a job cannot read them there, so it cannot start. Exempt checkpoint folders from it.${partOf(finding)}`;
    case 'aborts-open-files':
      return `${nameOf(finding)} aborts unfinished uploads below ${folders} after ${days(finding.rule.abortIncompleteAfterDays)}: a job that is down for longer loses the files that it has open there (LostUpload). Set it to ${safeDays} days or more, and to more than a job can be down.${partOf(finding)}`;
  }
}

function nameOf({ rule: { id, prefix } }: RuleFinding): string {
  return id === undefined ? `The rule for the prefix '${prefix}'` : `The rule '${id}'`;
}

function whenOf({ problem, rule }: RuleFinding): string {
  const [after, at] =
    problem === 'archives-checkpoints'
      ? [rule.archiveAfterDays, rule.archiveAtDate]
      : [rule.expireAfterDays, rule.expireAtDate];
  if (after !== undefined) return `after ${days(after)}`;
  return `from ${new Date(at ?? 0).toISOString().slice(0, 10)} on`;
}

function partOf({ rule }: RuleFinding): string {
  return rule.hasOtherFilter ? ' It also selects by tags or size, so this concerns only what matches.' : '';
}

function days(amount = 0): string {
  return counted(amount, 'day');
}
