import { crc32 } from 'node:zlib';
import { createMemoryStore, createStores } from 'millrace/stores';
import { FolderWriter } from '#src/fs/recoverable/recoverableWriter.js';
import { systemClock, unlimited } from '#src/flow/index.js';
import { recoverableStrings } from '../../fs/recoverable/golden.js';
import { pick } from '../../simulation/random.js';
import { keysOf } from '../../simulation/world.js';
import { mutated, mutatedJson } from '../mutate.js';
import { target } from '../target.js';

/** Commits and gives up what a foreign string names, in a store where others have objects. */
async function use(text: string): Promise<void> {
  const store = createMemoryStore({ uri: 'memory://lake', minimumPartSize: 1 });
  for (const key of ['other/a', 'out', 'out/.millrace-tails/other-000001'])
    store.put(key, Buffer.from('theirs')).subscribe();
  const before = keysOf(store, '').join();
  const stores = createStores({ schemes: { memory: () => store } });
  const writer = new FolderWriter(stores.open('memory://lake/out/'), undefined, {
    clock: systemClock,
    random: () => 0,
    allow: unlimited,
    partSize: 1,
    inFlight: 1,
    inlineTail: 0,
    onClose: () => undefined,
  });
  try {
    await writer.abandon(text);
    await writer.commit(text.includes('resumable') ? writer.recover(text) : text);
  } finally {
    if (keysOf(store, '').join() !== before) throw new TypeError('It touched what is not its own.');
  }
}

export const recoverableTargets = [
  target({
    name: 'resumable or committable',
    errors: [
      'InvalidRecoverable',
      'ForeignName',
      'LostUpload',
      'LostJournal',
      'InvalidRequest',
      'InvalidOption',
    ],
    draw: (random) => {
      const [, text] = pick(random, recoverableStrings);
      if (random() < 0.5) return mutated(random, Buffer.from(text)).toString('latin1');
      const [, head = '', json = ''] = /^(\S+ \d+) \S+ (.*)$/.exec(text) ?? [];
      const changed = JSON.stringify(mutatedJson(random, JSON.parse(json)));
      return `${head} ${crc32(changed).toString(16).padStart(8, '0')} ${changed}`;
    },
    run: use,
  }),
];
