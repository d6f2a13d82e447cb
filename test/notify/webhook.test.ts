import { createHmac, randomBytes, timingSafeEqual } from 'node:crypto';
import type { ServerResponse } from 'node:http';
import { afterEach, describe, expect, it } from 'vitest';
import { createWebhook, type WebhookTarget } from '../../src/notify/webhook.ts';
import { CERTIFICATE } from './certificate.ts';
import {
  event,
  NOW,
  PUBLIC_URL,
  startReceiver,
  type Arrived,
  type TestReceiver,
} from './support.ts';

const KEYS = [randomBytes(32), randomBytes(32)];

const receivers: TestReceiver[] = [];
afterEach(async () => {
  for (const receiver of receivers.splice(0)) await receiver.close();
});

async function receiverThat(...given: Parameters<typeof startReceiver>): Promise<TestReceiver> {
  const receiver = await startReceiver(...given);
  receivers.push(receiver);
  return receiver;
}

type More = Partial<Parameters<typeof createWebhook>[0]>;

function webhookAt(url: string, more: More = {}, keys: readonly Uint8Array[] = KEYS) {
  const target: WebhookTarget = { url, keys };
  return createWebhook({
    target: () => target,
    format: 'json',
    publicUrl: PUBLIC_URL,
    clock: () => NOW,
    allowsLoopback: true,
    ...more,
  });
}

/** A receiver's own check, written by the description in the README and by nothing of src/. */
function isSigned({ headers, body }: Arrived, key: Uint8Array): boolean {
  const timestamp = String(headers['x-sentinel-timestamp']);
  const mine = createHmac('sha256', key)
    .update(Buffer.from(`${timestamp}.${body}`))
    .digest();
  return String(headers['x-sentinel-signature'])
    .split(',')
    .map((value) => Buffer.from(value.trim().replace(/^v1=/u, ''), 'hex'))
    .some((value) => value.length === mine.length && timingSafeEqual(value, mine));
}

describe('a webhook', () => {
  it('gets the event with its type, and signatures that verify under each of two keys', async () => {
    const receiver = await receiverThat();
    expect(await webhookAt(receiver.url).deliver(event())).toEqual({ ok: true, value: undefined });
    const [arrived] = receiver.arrived;
    expect(arrived?.headers).toMatchObject({
      'content-type': 'application/json; charset=utf-8',
      'x-sentinel-event': 'request.created',
      'x-sentinel-timestamp': String(NOW / 1_000),
    });
    for (const key of KEYS) expect(arrived !== undefined && isSigned(arrived, key)).toBe(true);
    expect(arrived !== undefined && isSigned(arrived, randomBytes(32))).toBe(false);
    expect(
      arrived !== undefined && isSigned({ ...arrived, body: `${arrived.body} ` }, KEYS[0]!),
    ).toBe(false);
  });

  it('is signed anew at each attempt', async () => {
    const receiver = await receiverThat();
    let now = NOW;
    const webhook = webhookAt(receiver.url, { clock: () => now });
    await webhook.deliver(event());
    now += 60_000;
    await webhook.deliver(event());
    const [first, second] = receiver.arrived;
    expect(second?.headers['x-sentinel-timestamp']).toBe(String(NOW / 1_000 + 60));
    expect(second?.headers['x-sentinel-signature']).not.toBe(
      first?.headers['x-sentinel-signature'],
    );
    expect(second?.body).toBe(first?.body);
    expect(second !== undefined && isSigned(second, KEYS[1]!)).toBe(true);
  });

  it('gets a message for Slack where that is the format, signed as well', async () => {
    const receiver = await receiverThat();
    await webhookAt(receiver.url, { format: 'slack' }).deliver(event());
    const [arrived] = receiver.arrived;
    expect(JSON.parse(arrived?.body ?? '')).toHaveProperty('blocks');
    expect(arrived !== undefined && isSigned(arrived, KEYS[0]!)).toBe(true);
  });

  it('gets nothing without a key to sign with', async () => {
    const receiver = await receiverThat();
    const outcome = await webhookAt(receiver.url, { target: () => undefined }).deliver(event());
    expect(outcome).toMatchObject({ ok: false, refusal: expect.stringContaining('"webhook"') });
    expect(receiver.arrived).toEqual([]);
  });

  const ANSWERS: readonly (readonly [string, (response: ServerResponse) => void, RegExp])[] = [
    ['answers 500', (response) => response.writeHead(500).end('no'), /answered 500/u],
    ['answers 404', (response) => response.writeHead(404).end(), /answered 404/u],
    ['cuts the connection', (response) => response.destroy(), /ECONNRESET/u],
    [
      'answers more than 4 KiB',
      (response) => response.writeHead(200).end('x'.repeat(5_000)),
      /more than 4096 bytes/u,
    ],
    [
      'has a head without end',
      (response) => response.writeHead(200, { x: 'y'.repeat(12_000) }).end(),
      /HPE_HEADER_OVERFLOW/u,
    ],
  ];

  it.each(ANSWERS)('was not delivered to a receiver that %s', async (_, respond, reason) => {
    const receiver = await receiverThat(respond);
    const outcome = await webhookAt(receiver.url).deliver(event());
    expect(outcome).toMatchObject({ ok: false, refusal: expect.stringMatching(reason) });
  });

  it('takes an answer of 4 KiB', async () => {
    const receiver = await receiverThat((response) =>
      response.writeHead(200).end('x'.repeat(4_096)),
    );
    expect(await webhookAt(receiver.url).deliver(event())).toMatchObject({ ok: true });
  });

  it('does not read on where an answer has no end', async () => {
    let written = 0;
    const receiver = await receiverThat((response) => {
      response.writeHead(200);
      function more(): void {
        while (!response.destroyed && written < 50_000_000 && response.write('x'.repeat(65_536)))
          written += 65_536;
      }
      response.on('drain', more);
      more();
    });
    expect(await webhookAt(receiver.url).deliver(event())).toMatchObject({ ok: false });
    expect(written).toBeLessThan(20_000_000);
  });

  it('follows no redirect', async () => {
    const elsewhere = await receiverThat();
    const receiver = await receiverThat((response) =>
      response.writeHead(307, { location: elsewhere.url }).end(),
    );
    const outcome = await webhookAt(receiver.url).deliver(event());
    expect(outcome).toMatchObject({
      ok: false,
      refusal: expect.stringContaining('redirects (307)'),
    });
    expect(elsewhere.arrived).toEqual([]);
  });

  it.each<readonly [string, (response: ServerResponse) => void]>([
    ['never answers', () => undefined],
    ['never ends its answer', (response) => response.writeHead(200).write('x')],
    [
      'sends a byte a second',
      (response) => {
        response.writeHead(200);
        const timer = setInterval(() => response.write('x'), 1_000);
        response.once('close', () => clearInterval(timer));
      },
    ],
  ])('is given up after 5 s where the receiver %s', async (_, respond) => {
    const receiver = await receiverThat(respond);
    const begun = performance.now();
    const outcome = await webhookAt(receiver.url).deliver(event());
    expect(outcome).toEqual({ ok: false, refusal: 'it did not answer within 5 s' });
    expect(performance.now() - begun).toBeLessThan(7_000);
  });

  it('names neither host nor path where it fails', async () => {
    const outcome = await webhookAt('https://secret-host.invalid/secret-path').deliver(event());
    expect(outcome.ok).toBe(false);
    expect(JSON.stringify(outcome)).not.toContain('secret');
  });
});

describe('a webhook behind TLS', () => {
  const way = { resolve: () => Promise.resolve([{ address: '127.0.0.1', family: 4 }]) };

  it('is delivered to whom the name was resolved to, as the name that its certificate has', async () => {
    const receiver = await receiverThat(undefined, true);
    const url = `https://receiver.example:${receiver.port}/hook`;
    expect(
      await webhookAt(url, { way: { ...way, ca: CERTIFICATE } }).deliver(event()),
    ).toMatchObject({ ok: true });
    expect(receiver.arrived[0]?.headers.host).toBe(`receiver.example:${receiver.port}`);
  });

  it('is not delivered where nobody trusts the certificate', async () => {
    const receiver = await receiverThat(undefined, true);
    const outcome = await webhookAt(`https://receiver.example:${receiver.port}/`, { way }).deliver(
      event(),
    );
    expect(outcome).toMatchObject({ ok: false, refusal: expect.stringContaining('SELF_SIGNED') });
    expect(receiver.arrived).toEqual([]);
  });

  it('is not delivered where the certificate is for another name', async () => {
    const receiver = await receiverThat(undefined, true);
    const url = `https://other.example:${receiver.port}/`;
    const outcome = await webhookAt(url, { way: { ...way, ca: CERTIFICATE } }).deliver(event());
    expect(outcome).toMatchObject({
      ok: false,
      refusal: expect.stringContaining('ERR_TLS_CERT_ALTNAME_INVALID'),
    });
    expect(receiver.arrived).toEqual([]);
  });
});

describe('the address of a webhook', () => {
  function resolving(...answers: readonly (readonly string[])[]) {
    const asked: string[] = [];
    return {
      asked,
      way: {
        resolve: (host: string) => {
          const addresses = answers[Math.min(asked.length, answers.length - 1)] ?? [];
          asked.push(host);
          return Promise.resolve(
            addresses.map((address) => ({ address, family: address.includes(':') ? 6 : 4 })),
          );
        },
      },
    };
  }

  it('is resolved once for each attempt, so that an answer that changes in between changes nothing', async () => {
    const receiver = await receiverThat();
    const { way, asked } = resolving(['127.0.0.1'], ['169.254.169.254']);
    const url = `http://receiver.example:${receiver.port}/`;
    expect(await webhookAt(url, { way }).deliver(event())).toMatchObject({ ok: true });
    expect(asked).toEqual(['receiver.example']);
  });

  it.each([
    ['of metadata', ['169.254.169.254']],
    ['of metadata beside a good one', ['127.0.0.1', 'fd00:ec2::254']],
    ['of nobody', []],
  ])('is not connected to where it is one %s', async (_, addresses) => {
    const receiver = await receiverThat();
    const outcome = await webhookAt(
      `http://receiver.example:${receiver.port}/`,
      resolving(addresses),
    ).deliver(event());
    expect(outcome).toEqual({
      ok: false,
      refusal: 'its address is one that events are not sent to',
    });
    expect(receiver.arrived).toEqual([]);
  });

  it.each(['127.0.0.1', 'localhost', '127.1', '0x7f000001', '[::1]', '[::ffff:127.0.0.1]'])(
    'may not be loopback outside a desk: %s',
    async (host) => {
      const receiver = await receiverThat();
      const url = `http://${host}:${receiver.port}/`;
      const outcome = await webhookAt(url, { allowsLoopback: false }).deliver(event());
      expect(outcome).toEqual({
        ok: false,
        refusal: 'its address is one that events are not sent to',
      });
      expect(receiver.arrived).toEqual([]);
    },
  );
});
