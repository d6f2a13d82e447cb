import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { DEMO_CLIENTS } from '../../src/local/demo.ts';
import { startDesk, startTvm, type Desk, type RunningTvm } from '../support/tvm.ts';
import { runProgram, scratch, startStranger, type Run } from './support.ts';

/** The commands of break-glass as their users have them, against a TVM on the embedded AWS. */
const directory = scratch();
let desk: Desk;
let tvm: RunningTvm;

const PROFILES = ['opened', 'drilled', 'paired', 'listed', 'refused'];
const WHY = 'payments fail since 14:02 UTC';

beforeAll(async () => {
  desk = await startDesk();
  const rule = { name: 'ask', effect: 'require_approval', conditions: { users: ['alice'] } };
  for (const name of PROFILES) {
    await desk.put(`/sentinel/policies/${name}`, JSON.stringify({ version: '1', rules: [rule] }));
    await desk.put(
      `/sentinel/profiles/${name}`,
      JSON.stringify({ role_arn: 'arn:aws:iam::000000000000:role/SentinelProtected-dev' }),
    );
  }
  const common = { users: ['bob'], max_duration: '1h', review: { by: ['olivia'], within: '24h' } };
  const rules = [
    {
      name: 'two',
      profiles: ['paired'],
      ...common,
      second_person: { from: ['carol'], within: '10m' },
    },
    { name: 'one', profiles: PROFILES.filter((name) => name !== 'paired'), ...common },
  ];
  await desk.put('/sentinel/break-glass-policy', JSON.stringify({ version: '1', rules }));
  tvm = await startTvm(desk.url);
}, 60_000);

afterAll(async () => {
  await tvm.close();
  await desk.close();
});

type Who = keyof typeof DEMO_CLIENTS;

function as(who: Who, args: readonly string[], url = tvm.url): Promise<Run> {
  const { accessKeyId, secret } = DEMO_CLIENTS[who];
  return runProgram([...args, '--registered-key'], {
    AWS_ACCESS_KEY_ID: accessKeyId,
    AWS_SECRET_ACCESS_KEY: secret,
    TVM_URL: url,
    TVM_LOGIN_FILE: join(directory, 'login.json'),
  });
}

function opening(profile: string, ...more: readonly string[]): readonly string[] {
  return ['break-glass', profile, '--reason-code', 'incident', '--justification', WHY, ...more];
}

type Json = Readonly<Record<string, unknown>>;

/** Lets bob open a profile; gives the id of the event. */
async function open(profile: string, ...more: readonly string[]): Promise<string> {
  const run = await as('bob', opening(profile, '--json', ...more));
  expect(run.code, run.stderr).toBe(0);
  return (JSON.parse(run.stdout) as Json)['event_id'] as string;
}

describe('break-glass', () => {
  it('opens a profile, says until when, and who must review it; close and review end it', async () => {
    const opened = await as('bob', opening('opened', '--duration', '30m'));
    expect(opened.stdout).toMatch(
      /^Break-glass event [0-9a-f]{16} for profile opened is open until \S+; olivia must review it until \S+\.\n$/u,
    );
    expect(opened.code).toBe(0);
    const id = opened.stdout.split(' ')[2] ?? '';
    const closed = await as('bob', ['break-glass', 'close', id, '--reason', 'payments work']);
    expect(closed.stdout).toMatch(/ was closed by bob .*; olivia must review it until \S+\.\n$/u);
    const reviewed = await as('olivia', [
      'break-glass',
      'review',
      id,
      '--comment',
      'the restart was needed',
    ]);
    expect(reviewed.stdout).toContain('; olivia has reviewed it.');
    const again = await as('bob', ['break-glass', 'close', id, '--reason', 'payments work']);
    expect([again.code, again.stdout]).toEqual([1, '']);
    expect(again.stderr).toContain('closed already');
  });

  it('says of a drill that it vends nothing', async () => {
    const run = await as('bob', opening('drilled', '--drill'));
    expect(run.stdout).toContain('is a drill until');
    expect(run.stdout).toContain('vends nothing');
  });

  it('names the second person, who confirms', async () => {
    const run = await as('bob', opening('paired'));
    expect(run.stdout).toContain('; carol must confirm it until ');
    const id = run.stdout.split(' ')[2] ?? '';
    const own = await as('bob', ['break-glass', 'confirm', id]);
    expect([own.code, own.stdout]).toEqual([1, '']);
    const confirmed = await as('carol', ['break-glass', 'confirm', id, '--comment', 'I see it']);
    expect(confirmed.code, confirmed.stderr).toBe(0);
    expect(confirmed.stdout).not.toContain('must confirm');
  });

  it('lists one’s own, those that wait for a review, and as JSON', async () => {
    const id = await open('listed');
    const mine = await as('bob', ['break-glass', 'list', '--profile', 'listed']);
    expect(mine.stdout).toMatch(
      new RegExp(`^${id}  active  review  listed  bob  incident .+${WHY}\n$`, 'u'),
    );
    const none = await as('alice', ['break-glass', 'list']);
    expect(none).toEqual({ code: 0, stdout: '', stderr: 'There are none.\n' });
    await as('bob', ['break-glass', 'close', id, '--reason', 'payments work again']);
    const waiting = await as('olivia', ['break-glass', 'list', '--view', 'review', '--json']);
    const { events } = JSON.parse(waiting.stdout) as { events: readonly Json[] };
    expect(events.map((event) => event['event_id'])).toContain(id);
  });

  it.each<readonly [what: string, who: Who, args: readonly string[], words: string]>([
    ['whom no rule names', 'carol', opening('refused'), 'PolicyDenied'],
    ['no reason code', 'bob', ['break-glass', 'refused', '--justification', WHY], '--reason-code'],
    [
      'a reason code that does not exist',
      'bob',
      ['break-glass', 'refused', '--reason-code', 'boredom', '--justification', WHY],
      '--reason-code must be one of incident,',
    ],
    [
      'no justification',
      'bob',
      ['break-glass', 'refused', '--reason-code', 'incident'],
      '--justification must say what has happened',
    ],
    ['a time that is too long', 'bob', opening('refused', '--duration', '2h'), 'duration'],
    ['no profile', 'bob', ['break-glass', '--reason-code', 'incident'], 'PROFILE must name'],
    [
      'an id that is none',
      'bob',
      ['break-glass', 'close', 'x', '--reason', WHY],
      'ID must be the id',
    ],
    [
      'an id of nothing',
      'bob',
      ['break-glass', 'close', '0123456789abcdef', '--reason', WHY],
      'NotPermitted',
    ],
  ])('refuses with a sentence: %s', async (_, who, args, words) => {
    const run = await as(who, args);
    expect(run.stdout).toBe('');
    expect(run.code).not.toBe(0);
    expect(run.stderr).toContain(words);
  });

  it('prints nothing of a stranger’s that moves the cursor, and takes no other answer', async () => {
    const escape = '\u001B[2J';
    const stranger = await startStranger((_request, response, number) => {
      response.writeHead(number === 1 ? 201 : 403, { 'content-type': 'application/json' });
      response.end(JSON.stringify({ error: `No${escape}`, message: `see${escape}`, events: 1 }));
    });
    for (const args of [opening('opened'), ['break-glass', 'list']]) {
      const run = await as('bob', args, stranger.url);
      expect(run.code).toBe(1);
      expect(run.stdout).toBe('');
      expect(run.stderr).not.toContain('\u001B');
      expect(run.stderr).not.toBe('');
    }
    await stranger.close();
  });
});
