import { startFaultProxy } from './fault-proxy.ts';
import type { RawAnswer } from './raw-http.ts';
import { policyDocument, profileDocument, startFakeSts, stsCredentials } from '../http/support.ts';
import { callWith, register, type Key } from '../revocations/support.ts';
import { startDesk, startTvm, type RunningTvm } from './tvm.ts';

/**
 * Callers with registered keys. `ann2` is another key of ann; `amy` is one person with ann by the
 * document of people.
 */
const NAMES = {
  ann: 'ann',
  ann2: 'ann',
  amy: 'amy',
  ben: 'ben',
  cid: 'cid',
  eve: 'eve',
  ops: 'ops',
} as const;
export type Who = keyof typeof NAMES;

export const JUSTIFICATION = 'payments have failed since 14:02 UTC';

const MINUTE = 60_000;

/** Who may break which glass; ann, amy and ben are in all rules, eve is in none. */
const RULES = [
  {
    name: 'plain-rule',
    profiles: ['plain', 'silent', 'hard', 'denied', 'open', 'other'],
    users: ['ann', 'amy', 'ben'],
  },
  {
    name: 'narrow-rule',
    profiles: ['narrow'],
    users: ['ann'],
    allowed_reason_codes: ['incident'],
    max_duration: '30m',
  },
  {
    name: 'late-rule',
    profiles: ['late'],
    users: ['ann'],
    time: { hours: { start: '02:00', end: '03:00' } },
  },
  {
    name: 'mfa-rule',
    profiles: ['mfa'],
    users: ['ann'],
    mfa: { required: true, methods: ['totp'] },
  },
  {
    name: 'two-rule',
    profiles: ['two'],
    users: ['ann', 'amy', 'ben'],
    second_person: { from: ['ben', 'cid', 'ann', 'amy'], within: '10m' },
  },
  {
    name: 'owed-rule',
    profiles: ['owed'],
    users: ['ann', 'amy'],
    max_duration: '1h',
    review: { by: ['cid', 'ann'], within: '1h', overdue_blocks: true },
  },
  {
    name: 'rated-rule',
    profiles: ['cool', 'often', 'shared', 'loud'],
    users: ['ann', 'amy', 'ben', 'cid'],
  },
] as const;

const RATES = [
  { name: 'cooling', profiles: ['cool'], cooldown: '1h' },
  { name: 'counting', profiles: ['often'], max_per_user: 2, quota_window: '24h' },
  { name: 'sharing', profiles: ['shared'], max_per_profile: 2, quota_window: '24h' },
  { name: 'escalating', profiles: ['loud'], escalation_threshold: 1, quota_window: '24h' },
];

const PROFILES = [...new Set(RULES.flatMap(({ profiles }): readonly string[] => profiles)), 'bare'];

/** What the access policy of a profile says; of `silent` it says nothing to anybody of these. */
function accessRule(profile: string): object {
  const users = ['ann', 'amy', 'ben', 'cid', 'eve'];
  if (profile === 'denied')
    return { effect: 'deny', conditions: { users }, reason: 'never in any case' };
  if (profile === 'open') return { effect: 'allow', conditions: { users } };
  if (profile === 'silent') return { effect: 'allow', conditions: { users: ['nobody-here'] } };
  return { effect: 'require_approval', conditions: { users }, reason: 'two see more' };
}

type Fields = Readonly<Record<string, unknown>>;

/** TVMs on one desk with a clock that a test moves, and a fake STS. */
export async function startBreakGlass({ instances = 1 }: { readonly instances?: number } = {}) {
  const desk = await startDesk();
  const proxy = await startFaultProxy(desk.url);
  const time = { now: Math.floor(Date.now() / 1_000) * 1_000 };
  const sts = await startFakeSts(() =>
    stsCredentials({
      Expiration: new Date(time.now + 900_000).toISOString().replace(/\.\d+/u, ''),
    }),
  );
  const keys = {} as Record<Who, Key>;
  for (const [id, name] of Object.entries(NAMES) as [Who, string][]) {
    keys[id] = await register(desk, `TVMT${id.toUpperCase()}`, name);
  }
  for (const profile of PROFILES) {
    await desk.put(`/sentinel/profiles/${profile}`, profileDocument({ max_duration: '1h' }));
    await desk.put(`/sentinel/policies/${profile}`, policyDocument(accessRule(profile)));
  }
  async function rules(name: string, value: readonly object[]): Promise<void> {
    await desk.put(`/sentinel/${name}`, JSON.stringify({ version: '1', rules: value }));
  }
  await rules('break-glass-policy', RULES);
  await rules('break-glass-rate-policy', RATES);
  await rules('people', [{ name: 'ann-and-amy', is: ['ann', 'amy'] }]);
  await rules('operators', [{ name: 'ops', users: ['ops'], actions: ['list', 'revoke', 'lift'] }]);
  const options = {
    clock: () => time.now,
    environment: {
      AWS_ENDPOINT_URL_STS: sts.url,
      SENTINEL_RATE_LIMIT_REQUESTS: '10000',
      AWS_ENDPOINT_URL_DYNAMODB: proxy.url,
    },
  };
  const tvms: RunningTvm[] = [];
  for (let n = 0; n < instances; n += 1) tvms.push(await startTvm(desk.url, options));

  function tvmOf(n: number): RunningTvm {
    const tvm = tvms[n];
    if (tvm === undefined) throw new Error('there is no such instance');
    return tvm;
  }

  function send(
    who: Who,
    [method, path, body]: readonly [string, string, unknown?],
    on = 0,
  ): Promise<RawAnswer> {
    const [bare = '', query = ''] = path.split('?');
    const text = body === undefined ? '' : JSON.stringify(body);
    return callWith(tvmOf(on), keys[who], { method, path: bare, query, body: text, at: time.now });
  }

  function open(who: Who, profile: string, more: Fields = {}, on = 0): Promise<RawAnswer> {
    const body = { profile, reason_code: 'incident', justification: JUSTIFICATION, ...more };
    return send(who, ['POST', '/break-glass', body], on);
  }

  return {
    desk,
    /** Before DynamoDB, which passes everything on unless a test says otherwise. */
    proxy,
    sts,
    time,
    tvms,
    keys,
    rules,
    send,
    open,
    tvm: tvmOf(0),
    /** Opens, and gives the id. */
    opened: async (who: Who, profile: string, more: Fields = {}): Promise<string> => {
      const answer = await open(who, profile, more);
      if (answer.status !== 201) throw new Error(`not opened: ${answer.status} ${answer.body}`);
      return String(answer.json['event_id']);
    },
    vend: (who: Who, profile: string, query = '', on = 0) =>
      send(who, ['GET', `/?${query}profile=${profile}`], on),
    show: (who: Who, id: string) => send(who, ['GET', `/break-glass/${id}`]),
    confirm: (who: Who, id: string, on = 0) =>
      send(who, ['POST', `/break-glass/${id}/confirm`, {}], on),
    close: (who: Who, id: string, on = 0) =>
      send(who, ['POST', `/break-glass/${id}/close`, { reason: 'payments work again' }], on),
    review: (who: Who, id: string) =>
      send(who, ['POST', `/break-glass/${id}/review`, { comment: 'the restart was needed' }]),
    pass: (minutes: number): void => {
      time.now += minutes * MINUTE;
    },
    /** What STS was asked for last. */
    assumed: (): URLSearchParams => new URLSearchParams(sts.assumed().at(-1) ?? ''),
    stop: async (): Promise<void> => {
      for (const tvm of tvms) await tvm.close();
      await sts.close();
      await proxy.close();
      await desk.close();
    },
  };
}

export type BreakGlassWorld = Awaited<ReturnType<typeof startBreakGlass>>;

/** What an answer comes to: its status and its error. */
export function outcomeOf({ status, json }: RawAnswer): readonly unknown[] {
  return [status, json['error']];
}
