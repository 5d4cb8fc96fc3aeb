/** The rules that the log's safety rests on. All hold; a checker of the protocol may switch one off, to see it break. */
export interface Rules {
  /** Off: the barrier's id decides the slot. */
  readonly numberAtIssue: boolean;
  /** Off: an entry holds only the committables of its own checkpoint. */
  readonly carryPending: boolean;
  /** Off: a claim that was created is believed. */
  readonly verifyClaim: boolean;
  /** Off: a checkpoint that was created is acted upon. */
  readonly verifyEntry: boolean;
  /** Off: a PUT in doubt is a failed checkpoint, and what it wrote is cleaned up. */
  readonly repeatInDoubt: boolean;
}

export const allRules: Rules = {
  numberAtIssue: true,
  carryPending: true,
  verifyClaim: true,
  verifyEntry: true,
  repeatInDoubt: true,
};
