/**
 * Turns of phrase that are not plain English, and what to write instead. The tests search for them in all of src, docs,
 * README.md and CONTRIBUTING.md; the table of CONTRIBUTING.md holds those that depend on the context, too.
 */
export const words: readonly (readonly [RegExp, string])[] = [
  [/\bwho(so)?ever\b/i, 'the caller, the process, the reader'],
  [/\bwhom\b/i, 'an active sentence'],
  [/\bthereof\b|\btherefrom\b|\bthereby\b/i, 'of it, so'],
  [/\bby which\b/i, 'that … with'],
  [/\bat what\b/i, 'where, when'],
  [/\bas to (the|what|how|where|whether|which|why)\b/i, 'about'],
  [/\b(is|are|was|were|be|been) said\b/i, 'is set, is given, is documented'],
  [/\bhave to say\b|\bhas to be said\b/i, 'must be set'],
  [/\bmend(s|ed|ing)?\b/i, 'fix'],
  [/\bbears?\b|\bbear with\b/i, 'tolerate, have'],
  [/\bstand(s|ing)? for\b/i, 'mean, be'],
  [/\band no more\b/i, 'at most, only'],
  [/\bgive heed\b|\bheeds?\b/i, 'respect, follow'],
  [/\bfor want of\b/i, 'without'],
  [/\bit be that\b|\bbe it that\b/i, 'if, unless'],
  [/\bworth a retry\b/i, 'retryable'],
  [/\bof (its|their) own account\b/i, 'according to itself'],
  [/\bwho may only\b|\bnobody wants\b|\bwhose business\b/i, 'the permission, the caller or the component'],
  [/\bhas to be there\b/i, 'must exist'],
  [/\blies? behind\b/i, 'is after'],
];
