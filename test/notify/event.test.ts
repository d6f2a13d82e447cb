import { createHmac, randomBytes } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { EVENT_TYPES, linkTo, toBody } from '../../src/notify/event.ts';
import { signEvent } from '../../src/notify/signature.ts';
import { toSlack } from '../../src/notify/slack.ts';
import { event, PUBLIC_URL } from './support.ts';

function bodyOf(...given: Parameters<typeof event>) {
  return JSON.parse(toBody(event(...given), PUBLIC_URL)) as Record<string, unknown>;
}

describe('toBody', () => {
  it('tells what happened, to what, and where one decides', () => {
    expect(bodyOf()).toEqual({
      id: '0123456789abcdef.1',
      version: 1,
      type: 'request.created',
      at: '2026-03-10T12:00:00.000Z',
      subject: {
        kind: 'request',
        id: '0123456789abcdef',
        profile: 'prod',
        requester: 'key/alice',
        actor: 'key/alice',
        justification: 'deploy the release of today',
        status: 'pending',
        seconds: 3_600,
      },
      url: 'https://tvm.example.com/requests/0123456789abcdef',
    });
  });

  it('has another id for each version of a row, and the same whenever it is made', () => {
    expect(bodyOf({ version: 2 })['id']).toBe('0123456789abcdef.2');
    expect(toBody(event(), PUBLIC_URL)).toBe(toBody(event(), PUBLIC_URL));
  });

  it('cuts what callers wrote, by whole characters', () => {
    const { subject } = bodyOf(
      {},
      { justification: '😀'.repeat(5_000), requester: 'x'.repeat(5_000) },
    );
    const { justification, requester } = subject as Record<string, string>;
    expect(Array.from(justification ?? '')).toHaveLength(1_000);
    expect(justification).toMatch(/^(?:😀){999}…$/u);
    expect(requester).toHaveLength(256);
  });

  it('is one line without a character that cannot be seen, and still the same text', () => {
    const justification = 'a\nb\u202ec\u0000d"e\u2028';
    const body = toBody(event({}, { justification }), PUBLIC_URL);
    expect(body).not.toMatch(/[\p{Cc}\p{Cf}\p{Zl}]/u);
    expect((JSON.parse(body) as { subject: { justification: string } }).subject.justification).toBe(
      justification,
    );
  });

  it('says that a drill is one', () => {
    expect(bodyOf({ type: 'breakglass.invoked' }, { isDrill: true })['subject']).toMatchObject({
      drill: true,
    });
    expect(bodyOf({ type: 'breakglass.invoked' })['subject']).not.toHaveProperty('drill');
  });
});

describe('linkTo', () => {
  it('keeps the path of the public URL, and lets no id out of its own', () => {
    const { matter } = event({}, { kind: 'break_glass', id: '../x?y#z' });
    expect(linkTo(matter, 'https://tvm.example.com/base/')).toBe(
      'https://tvm.example.com/base/break-glass/..%2Fx%3Fy%23z',
    );
  });
});

describe('signEvent', () => {
  it('is what another implementation makes of the same key, timestamp and body', () => {
    const [key, next] = [randomBytes(32), randomBytes(32)];
    const body = toBody(event(), PUBLIC_URL);
    const values = signEvent([key, next], '1773144000', body).split(',');
    const expected = [key, next].map((one) => {
      const hmac = createHmac('sha256', one);
      hmac.update('1773144000');
      hmac.update('.');
      hmac.update(Buffer.from(body, 'utf8'));
      return `v1=${hmac.digest().toString('hex')}`;
    });
    expect(values).toEqual(expected);
    expect(signEvent([key], '1773144000', body)).toBe(expected[0]);
  });
});

type Block = {
  readonly type: string;
  readonly text?: { readonly type: string; readonly text: string };
  readonly fields?: readonly { readonly type: string; readonly text: string }[];
};

function slackOf(...given: Parameters<typeof event>) {
  return JSON.parse(toSlack(event(...given), PUBLIC_URL)) as {
    readonly text: string;
    readonly blocks: readonly Block[];
  };
}

describe('toSlack', () => {
  const HOSTILE =
    '<!channel> <https://evil.example|Approve> *bold* @here & :tada: ```x```\n> quoted';

  it('shows what callers wrote where nothing is formatted, escaped, and nowhere else', () => {
    const message = slackOf({}, { justification: HOSTILE, comment: HOSTILE, ticket: HOSTILE });
    const holding = message.blocks
      .flatMap(({ text, fields = [] }) => [text, ...fields])
      .filter((part) => part?.text.includes('evil'));
    expect(holding).toHaveLength(3);
    for (const part of holding) {
      expect(part?.type).toBe('plain_text');
      expect(part?.text).not.toMatch(/[<>\n]|&(?!amp;|lt;|gt;)/u);
    }
    expect(message.text).not.toContain('evil');
  });

  it('never has a part that is longer than Slack takes, whatever it is made of', () => {
    for (const character of ['&', '\u202e', 'x', '😀']) {
      const long = character.repeat(5_000);
      const { blocks } = slackOf({}, { justification: long, profile: long, requester: long });
      for (const { text, fields = [] } of blocks) {
        expect(text?.text.length ?? 0).toBeLessThanOrEqual(3_000);
        for (const field of fields) expect(field.text.length).toBeLessThanOrEqual(2_000);
        expect(fields.length).toBeLessThanOrEqual(10);
      }
    }
  });

  it.each(EVENT_TYPES)('has a title, one link and no button for %s', (type) => {
    const { text, blocks } = slackOf({ type });
    expect(text).toMatch(/^[A-Z][A-Za-z -]+ · prod · key\/alice · https:/u);
    const links = blocks.filter((block) => block.text?.type === 'mrkdwn');
    expect(links.map((block) => block.text?.text)).toEqual([
      '<https://tvm.example.com/requests/0123456789abcdef|Open 0123456789abcdef>',
    ]);
    expect(new Set(blocks.map((block) => block.type))).toEqual(new Set(['header', 'section']));
  });

  it('says of a drill that it is one', () => {
    expect(slackOf({ type: 'breakglass.invoked' }, { isDrill: true }).text).toMatch(
      /^DRILL: Break-glass invoked/u,
    );
  });
});
