// A service that uses proofs, in a process of its own: it answers each message, which has ids.
import { createClient } from 'redis';
import { createReplayStore } from '../src/index.ts';

const store = createReplayStore(createClient({ url: process.argv[2] ?? '' }));
await store.ready();
process.on('message', (ids: readonly string[]) => {
  const until = Date.now() + 60_000;
  void Promise.all(ids.map((id) => store.use(id, until))).then((answers) => process.send?.(answers));
});
process.on('disconnect', () => void store.close());
process.send?.('ready');
