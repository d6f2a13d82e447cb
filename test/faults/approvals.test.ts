import { DynamoDBClient } from '@aws-sdk/client-dynamodb';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import {
  actBy,
  approvalPolicy,
  approveBy,
  askBy,
  idOf,
  keyOfName,
  outcomeOf,
  register,
  rowOf,
  sendBy,
  showBy,
  vendBy,
  type Who,
} from '../support/approvals.ts';
import {
  freePort,
  startProcess,
  tvmVariables,
  untilHealthy,
  type Running,
} from '../support/processes.ts';
import {
  BREAKING_FAULTS,
  startFaultProxy,
  type Call,
  type Fault,
  type FaultProxy,
} from '../support/fault-proxy.ts';
import type { RawAnswer } from '../support/raw-http.ts';
import { startDesk, startTvm, type Desk, type RunningTvm } from '../support/tvm.ts';
import { policyDocument, profileDocument } from '../http/support.ts';

/**
 * Approvals while DynamoDB fails between any two of their calls, by several at once, and by
 * processes that are killed: no vend without the quorum, no acknowledged word is lost, and a retry
 * finds its way.
 */
let desk: Desk;
let dynamodb: DynamoDBClient;
/** An instance that nothing happens to. */
let main: RunningTvm;
/** An instance for each call that may fail. */
let behind: readonly Faulty[] = [];

/** As many calls as any of these needs, and one to spare. */
const CALLS = 11;

const ben = keyOfName('ben');
const cid = keyOfName('cid');
const PEOPLE = Array.from({ length: 60 }, (_, n) => keyOfName(`r${n}`));
const PROFILES = { pair: {}, later: { start: 'first_use' } } as const;

beforeAll(async () => {
  desk = await startDesk();
  dynamodb = new DynamoDBClient({ endpoint: desk.url, region: 'us-east-1' });
  for (const who of [ben, cid, ...PEOPLE]) await register(desk, who);
  for (const profile of Object.keys(PROFILES)) {
    await desk.put(`/sentinel/profiles/${profile}`, profileDocument());
    const users = PEOPLE.map(({ name }) => name);
    await desk.put(
      `/sentinel/policies/${profile}`,
      policyDocument({ effect: 'require_approval', conditions: { users } }),
    );
  }
  const owners = { require: [{ group: 'owners', from: ['ben', 'cid'], approvals: 2 }] };
  const rules = Object.entries(PROFILES).map(([profile, more]) => ({
    profiles: [profile],
    ...owners,
    ...more,
  }));
  await desk.put('/sentinel/approval-policy', approvalPolicy(...rules));
  main = await startTvm(desk.url, PATIENT);
  behind = await Promise.all(Array.from({ length: CALLS }, startFaulty));
});

afterAll(async () => {
  for (const one of behind) await one.close();
  await main.close();
  dynamodb.destroy();
  await desk.close();
});

const PATIENT = { environment: { SENTINEL_RATE_LIMIT_REQUESTS: '100000' } };

/** An instance behind a proxy that can fail. */
type Faulty = {
  readonly tvm: RunningTvm;
  readonly proxy: FaultProxy;
  readonly close: () => Promise<void>;
};

async function startFaulty(): Promise<Faulty> {
  const proxy = await startFaultProxy(desk.url);
  const tvm = await startTvm(desk.url, {
    environment: { ...PATIENT.environment, AWS_ENDPOINT_URL_DYNAMODB: proxy.url },
  });
  return {
    tvm,
    proxy,
    close: async () => {
      await tvm.close();
      await proxy.close();
    },
  };
}

/**
 * Whether a call is one of an approval's: on a row, on a ledger, or the end of a grant in the log.
 */
function isOurs({ body, operation }: Call): boolean {
  if (body.includes('"sentinel-requests"') || body.includes('"requests#')) return true;
  return operation === 'PutItem' && body.includes('"grant"');
}

type Mode = 'once' | 'from then on';

/** Does something while the call of this number fails, or that one and all after it. */
async function during<T>(
  { proxy }: Faulty,
  [fault, at, mode]: readonly [Fault, number, Mode],
  act: () => Promise<T>,
) {
  let seen = 0;
  proxy.set('dynamodb', (call) => {
    if (!isOurs(call)) return 'ok';
    seen += 1;
    return seen === at || (mode === 'from then on' && seen > at) ? fault : 'ok';
  });
  try {
    return await act();
  } finally {
    proxy.set('dynamodb', 'ok');
  }
}

type Trial = (faulty: Faulty, who: Who, failure: readonly [Fault, number, Mode]) => Promise<void>;

function oneOf(good: number): readonly number[] {
  return [good, 503];
}

async function vends(who: Who, profile: string): Promise<boolean> {
  const answer = await vendBy(main, who, profile);
  expect([200, 403], answer.body).toContain(answer.status);
  return answer.status === 200;
}

/** A request with one of its two approvals. */
async function halfApproved(who: Who, profile: string): Promise<string> {
  const asked = await askBy(main, who, profile);
  expect(asked.status, asked.body).toBe(201);
  const id = idOf(asked);
  expect((await approveBy(main, ben, id)).json['status']).toBe('pending');
  return id;
}

/**
 * Repeats what was refused until it is done: an instance may have to read its list of revocations
 * anew first.
 */
async function untilDone(act: () => Promise<RawAnswer>): Promise<void> {
  await expect
    .poll(async () => (await act()).status, { timeout: 10_000, interval: 200 })
    .not.toBe(503);
  expect([200, 409]).toContain((await act()).status);
}

async function end(who: Who, id: string, on = main): Promise<RawAnswer> {
  return actBy(on, who, [id, 'end'], { reason: 'the work is done' });
}

const TRIALS: Readonly<Record<string, Trial>> = {
  'an ask': async (faulty, who, failure) => {
    const asked = await during(faulty, failure, () => askBy(faulty.tvm, who, 'pair'));
    expect([201, 503], asked.body).toContain(asked.status);
    const again = await askBy(faulty.tvm, who, 'pair');
    expect([200, 201], again.body).toContain(again.status);
    if (asked.status === 201) expect([again.status, idOf(again)]).toEqual([200, idOf(asked)]);
    const mine = await sendBy(main, who, ['GET', '/requests?view=mine&status=pending']);
    expect(mine.json['requests']).toMatchObject([{ request_id: idOf(again) }]);
    expect(idOf(await vendBy(main, who, 'pair'))).toBe(idOf(again));
    await actBy(main, who, [idOf(again), 'cancel']);
  },
  'a vend that asks': async (faulty, who, failure) => {
    const vend = await during(faulty, failure, () => vendBy(faulty.tvm, who, 'pair'));
    expect([403, 503], vend.body).toContain(vend.status);
    const id = idOf(await vendBy(faulty.tvm, who, 'pair'));
    if (vend.status === 403) expect(idOf(vend)).toBe(id);
    const mine = await sendBy(main, who, ['GET', '/requests?view=mine&status=pending']);
    expect(mine.json['requests']).toMatchObject([{ request_id: id }]);
    await actBy(main, who, [id, 'cancel']);
  },
  'an approval that is not the last': async (faulty, who, failure) => {
    const id = idOf(await askBy(main, who, 'pair'));
    const { json } = await showBy(main, ben, id);
    const said = { digest: json['digest'] };
    const answer = await during(faulty, failure, () =>
      actBy(faulty.tvm, ben, [id, 'approve'], said),
    );
    expect(oneOf(200), answer.body).toContain(answer.status);
    if (answer.status === 200)
      expect((await rowOf(dynamodb, id))['state']?.S).toContain('"verdict":"approve"');
    expect(await vends(who, 'pair')).toBe(false);
    expect((await actBy(faulty.tvm, ben, [id, 'approve'], said)).json['status']).toBe('pending');
    expect(await vends(who, 'pair')).toBe(false);
    expect((await approveBy(main, cid, id)).json['status']).toBe('approved');
    expect(await vends(who, 'pair')).toBe(true);
    await end(who, id);
  },
  'the last approval': async (faulty, who, failure) => {
    const id = await halfApproved(who, 'pair');
    const { json } = await showBy(main, cid, id);
    const said = { digest: json['digest'] };
    const answer = await during(faulty, failure, () =>
      actBy(faulty.tvm, cid, [id, 'approve'], said),
    );
    expect(oneOf(200), answer.body).toContain(answer.status);
    const isWritten = (await rowOf(dynamodb, id))['status']?.S === 'approved';
    if (answer.status === 200) expect(isWritten).toBe(true);
    expect(await vends(who, 'pair')).toBe(isWritten);
    expect((await actBy(faulty.tvm, cid, [id, 'approve'], said)).json).toMatchObject({
      status: 'approved',
      reviews: [{ reviewer: 'ben' }, { reviewer: 'cid' }],
    });
    expect(await vends(who, 'pair')).toBe(true);
    await end(who, id);
  },
  'a vend without the last approval': async (faulty, who, failure) => {
    const id = await halfApproved(who, 'pair');
    const vend = await during(faulty, failure, () => vendBy(faulty.tvm, who, 'pair'));
    expect([403, 503], vend.body).toContain(vend.status);
    await actBy(main, who, [id, 'cancel']);
  },
  'a first use': async (faulty, who, failure) => {
    const id = await halfApproved(who, 'later');
    await approveBy(main, cid, id);
    const vend = await during(faulty, failure, () => vendBy(faulty.tvm, who, 'later'));
    expect(oneOf(200), vend.body).toContain(vend.status);
    const after = Date.now();
    // It starts at the latest now, and once.
    const [again, more] = [
      await vendBy(faulty.tvm, who, 'later'),
      await vendBy(main, who, 'later'),
    ];
    expect([again.status, more.status]).toEqual([200, 200]);
    const { json } = await showBy(main, who, id);
    if (json['effective_end'] !== undefined) {
      expect(Date.parse(json['effective_end'] as string)).toBeLessThanOrEqual(after + 3_602_000);
    }
    await end(who, id);
  },
  'a denial': async (faulty, who, failure) => {
    const id = await halfApproved(who, 'pair');
    const said = { comment: 'not before the audit' };
    const answer = await during(faulty, failure, () => actBy(faulty.tvm, cid, [id, 'deny'], said));
    expect(oneOf(200), answer.body).toContain(answer.status);
    await untilDone(() => actBy(faulty.tvm, cid, [id, 'deny'], said));
    expect((await showBy(main, who, id)).json).toMatchObject({ status: 'denied', phase: 'ended' });
    expect(outcomeOf(await approveBy(main, cid, id))).toEqual([409, 'Conflict']);
    expect(await vends(who, 'pair')).toBe(false);
    // The next one can be asked for.
    const next = idOf(await vendBy(main, who, 'pair'));
    expect(next).not.toBe(id);
    await actBy(main, who, [next, 'cancel']);
  },
  'an end': async (faulty, who, failure) => {
    const id = await halfApproved(who, 'pair');
    await approveBy(main, cid, id);
    expect(await vends(who, 'pair')).toBe(true);
    const answer = await during(faulty, failure, () => end(who, id, faulty.tvm));
    expect(oneOf(200), answer.body).toContain(answer.status);
    if (answer.status === 503) {
      await untilDone(() => end(who, id, faulty.tvm));
    }
    expect((await showBy(faulty.tvm, who, id)).json).toMatchObject({
      status: 'cancelled',
      phase: 'ended',
    });
    expect(await vends(who, 'pair')).toBe(false);
    await actBy(main, who, [idOf(await vendBy(main, who, 'pair')), 'cancel']);
  },
};

/**
 * Those with the most writes are tried with every fault, the others with those that differ most.
 */
const ALL: ReadonlySet<string> = new Set(['an ask', 'the last approval', 'an end']);
const SOME: readonly Fault[] = ['lost', 'foreign'];

describe.each(Object.entries(TRIALS))('%s', (name, trial) => {
  it.each(ALL.has(name) ? BREAKING_FAULTS : SOME)(
    'keeps its promises while DynamoDB answers with "%s" from any of its calls on',
    (fault) => expect(runAll(trial, fault, 'from then on')).resolves.toBeUndefined(),
    60_000,
  );

  it(
    'keeps its promises while the answer to any one of its calls is lost',
    () => expect(runAll(trial, 'lost', 'once')).resolves.toBeUndefined(),
    60_000,
  );
});

/** Leaves nothing open to the next trial. */
async function cancelAll(who: Who): Promise<void> {
  const { json } = await sendBy(main, who, ['GET', '/requests?view=mine']);
  const open = (json['requests'] as { request_id: string; phase: string }[]).filter(
    ({ phase }) => phase !== 'ended',
  );
  for (const { request_id } of open) await actBy(main, who, [request_id, 'cancel']);
}

/** Runs a trial for each call, all at once: each has a requester and an instance of its own. */
async function runAll(trial: Trial, fault: Fault, mode: Mode): Promise<void> {
  await Promise.all(
    Array.from({ length: CALLS }, async (__, n) => {
      const faulty = behind[n];
      if (faulty === undefined) throw new Error('an instance is missing');
      try {
        await trial(faulty, PEOPLE[n] ?? ben, [fault, n + 1, mode]);
      } catch (error) {
        throw new Error(`call ${n + 1}: ${String(error)}`, { cause: error });
      } finally {
        await cancelAll(PEOPLE[n] ?? ben);
      }
    }),
  );
}

describe('several at once', () => {
  const people = PEOPLE.slice(20, 40);
  const instances: RunningTvm[] = [];

  beforeAll(async () => {
    instances.push(
      ...(await Promise.all(Array.from({ length: 5 }, () => startTvm(desk.url, PATIENT)))),
    );
  });
  afterAll(async () => {
    for (const one of instances) await one.close();
  });

  it('who ask for the same on five instances make one request', async () => {
    for (const who of people.slice(0, 4)) {
      const asked = await Promise.all([
        ...instances.map((on) => askBy(on, who, 'pair')),
        ...instances.map((on) => vendBy(on, who, 'pair')),
      ]);
      // What a vend asks for is not what somebody asks for with words of their own.
      const ids = new Set(
        asked.flatMap(({ json }) => (json['request_id'] === undefined ? [] : [json['request_id']])),
      );
      expect([...ids], asked.map(({ body }) => body).join('\n')).toHaveLength(1);
      for (const { status, body } of asked) expect([200, 201, 403, 409], body).toContain(status);
      expect(asked.filter(({ status }) => status === 201).length).toBeLessThanOrEqual(1);
      const mine = await sendBy(main, who, ['GET', '/requests?view=mine&status=pending']);
      expect(mine.json['requests']).toHaveLength(1);
      await actBy(main, who, [[...ids][0] as string, 'cancel']);
    }
  });

  it('who ask for two profiles get one request for each', async () => {
    for (const who of people.slice(4, 8)) {
      const asked = await Promise.all(
        instances.flatMap((on) => ['pair', 'later'].map((profile) => askBy(on, who, profile))),
      );
      expect(asked.map(({ status }) => status).toSorted()).toEqual([
        200, 200, 200, 200, 200, 200, 200, 200, 201, 201,
      ]);
      expect(new Set(asked.map(idOf)).size).toBe(2);
      for (const id of new Set(asked.map(idOf))) await actBy(main, who, [id, 'cancel']);
    }
  });

  it('who approve are all in the row, and the request is approved', async () => {
    for (const who of people.slice(8, 12)) {
      const id = idOf(await askBy(main, who, 'pair'));
      const answers = await Promise.all(
        instances.flatMap((on) => [approveBy(on, ben, id), approveBy(on, cid, id)]),
      );
      for (const { status, body } of answers) expect([200, 503], body).toContain(status);
      const acknowledged = answers.filter(({ status }) => status === 200).length;
      expect(acknowledged).toBeGreaterThan(0);
      const { json } = await showBy(main, who, id);
      const reviewers = (json['reviews'] as { reviewer: string }[])
        .map(({ reviewer }) => reviewer)
        .toSorted();
      expect(json['status']).toBe('approved');
      expect(reviewers).toEqual(['ben', 'cid']);
      await end(who, id);
    }
  });

  it('who approve, deny and cancel come to one state, which holds', async () => {
    for (const who of people.slice(12, 20)) {
      const id = await halfApproved(who, 'pair');
      const { json } = await showBy(main, cid, id);
      const [a = main, b = main, c = main] = instances;
      const answers = await Promise.all([
        actBy(a, cid, [id, 'approve'], { digest: json['digest'] }),
        actBy(b, cid, [id, 'deny'], { comment: 'not before the audit' }),
        actBy(c, who, [id, 'cancel']),
      ]);
      for (const { status, body } of answers) expect([200, 409], body).toContain(status);
      const shown = (await showBy(main, who, id)).json;
      // A cancel after the approval takes it away; deny and cancel never both happen.
      expect([shown['status'], shown['phase']]).toEqual([
        expect.stringMatching(/^(denied|cancelled)$/u),
        'ended',
      ]);
      expect(answers[1].status === 200 && answers[2].status === 200).toBe(false);
      await expect.poll(() => vends(who, 'pair'), { timeout: 2_000 }).toBe(false);
      const next = await vendBy(main, who, 'pair');
      await actBy(main, who, [idOf(next), 'cancel']);
    }
  });
});

describe('a process that is killed', () => {
  it('after it approved has approved, for others and for its successor', async () => {
    const port = await freePort();
    const who = PEOPLE[50] ?? ben;
    const there = { host: `127.0.0.1:${port}`, port };
    async function start(): Promise<Running> {
      const running = startProcess(process.execPath, ['src/main.ts'], tvmVariables(port, desk.url));
      await untilHealthy(`http://127.0.0.1:${port}/healthz`, running);
      return running;
    }
    const first = await start();
    const id = await halfApproved(who, 'pair');
    const answer = await approveBy(there, cid, id);
    await first.stop('SIGKILL');
    expect(answer.json).toMatchObject({ status: 'approved' });
    expect(await vends(who, 'pair')).toBe(true);
    const second = await start();
    expect((await vendBy(there, who, 'pair')).status).toBe(200);
    await second.stop('SIGKILL');
    await end(who, id);
  });

  it('while it approves has approved wholly or not at all', async () => {
    const port = await freePort();
    const there = { host: `127.0.0.1:${port}`, port };
    for (const [n, pause] of [0, 5, 10, 20, 40].entries()) {
      const who = PEOPLE[51 + n] ?? ben;
      const id = await halfApproved(who, 'pair');
      const running = startProcess(process.execPath, ['src/main.ts'], tvmVariables(port, desk.url));
      await untilHealthy(`http://127.0.0.1:${port}/healthz`, running);
      const { json } = await showBy(there, cid, id);
      const answer = actBy(there, cid, [id, 'approve'], { digest: json['digest'] }).catch(
        () => undefined,
      );
      await new Promise((wake) => setTimeout(wake, pause));
      await running.stop('SIGKILL');
      const acknowledged = (await answer)?.status === 200;
      const isWritten = (await rowOf(dynamodb, id))['status']?.S === 'approved';
      if (acknowledged) expect(isWritten).toBe(true);
      expect(await vends(who, 'pair')).toBe(isWritten);
      expect((await approveBy(main, cid, id)).json).toMatchObject({ status: 'approved' });
      expect(await vends(who, 'pair')).toBe(true);
    }
  });
});
