import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { createSessionTracker } from '../../src/sessions/tracker.ts';
import { ok } from '../../src/lib/result.ts';

/** A store that accepts everything, because only the memory of the tracker is measured. */
const STORE = {
  touch: () => Promise.resolve('updated' as const),
  expire: () => Promise.resolve('updated' as const),
};

function collect(): void {
  setFlagsFromString('--expose-gc');
  (runInNewContext('gc') as () => void)();
}

/** Bytes of heap that one session takes, with names as long as real ones. */
export async function measureSessionBytes(count: number): Promise<number> {
  const tracker = createSessionTracker({
    store: STORE,
    openSession: ({ proposed }) => Promise.resolve(ok(proposed)),
    clock: Date.now,
    life: 8 * 3_600_000,
    capacity: count,
    onOpen: () => undefined,
    onFault: () => undefined,
  });
  collect();
  const before = process.memoryUsage().heapUsed;
  for (let index = 0; index < count; index += 1) {
    const user = `someone.with-a-name-${index}@example.com`;
    await tracker.use(
      {
        key: {
          subject: `arn:aws:iam::111122223333:role/Role-${index}`,
          principal: `arn:aws:iam::111122223333:role/Role-${index}`,
          user,
          account: '111122223333',
          profile: 'team/prod',
          label: '',
          grant: '',
        },
        sourceIdentity: `sentinel=d=0123456789abcdef=${user}`,
        required: true,
      },
      new Map(),
    );
  }
  collect();
  const bytes = (process.memoryUsage().heapUsed - before) / tracker.size();
  return bytes;
}
