import { randomBytes } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { createSnsClient } from '../../src/aws/clients.ts';
import { createReceivers } from '../../src/notify/receivers.ts';
import { event, NOW, PUBLIC_URL, startReceiver } from './support.ts';

const KEYS = [randomBytes(32)];
const client = createSnsClient({ region: 'eu-central-1', endpoint: 'http://127.0.0.1:1' });
const TOPIC = { arn: 'arn:aws:sns:eu-central-1:111122223333:x', client };

function receiversOf(more: Partial<Parameters<typeof createReceivers>[0]> = {}) {
  return createReceivers({
    webhookUrl: undefined,
    webhookFormat: 'json',
    document: () => undefined,
    topic: undefined,
    publicUrl: PUBLIC_URL,
    clock: () => NOW,
    local: true,
    onLambda: false,
    way: undefined,
    ...more,
  });
}

function namesOf(more: Parameters<typeof receiversOf>[0]): readonly string[] {
  return receiversOf(more)().map(({ name }) => name);
}

describe('createReceivers', () => {
  it('gives none, a webhook, a topic, or both', () => {
    const webhookUrl = 'https://hooks.example.com/x';
    expect(namesOf({})).toEqual([]);
    expect(namesOf({ webhookUrl })).toEqual(['webhook']);
    expect(namesOf({ topic: TOPIC })).toEqual(['sns']);
    expect(namesOf({ webhookUrl, topic: TOPIC })).toEqual(['webhook', 'sns']);
  });

  it('takes the URL of the document where no variable has one, as soon as it is there', () => {
    let url: string | undefined;
    const receivers = receiversOf({ document: () => ({ keys: KEYS, url }) });
    expect(receivers()).toEqual([]);
    url = 'https://hooks.example.com/x';
    expect(receivers().map(({ name }) => name)).toEqual(['webhook']);
  });

  it('prefers the URL of the variable', async () => {
    const receiver = await startReceiver();
    function document() {
      return { keys: KEYS, url: 'http://127.0.0.1:1/' };
    }
    const [webhook] = receiversOf({ webhookUrl: receiver.url, document })();
    expect(await webhook?.deliver(event())).toMatchObject({ ok: true });
    await receiver.close();
  });

  it('has no webhook on AWS Lambda, not even by the document', () => {
    function document() {
      return { keys: KEYS, url: 'https://hooks.example.com/x' };
    }
    expect(namesOf({ onLambda: true, document, topic: TOPIC })).toEqual(['sns']);
  });

  it('has a webhook without keys that takes nothing and says why, so that somebody learns of it', async () => {
    const [webhook] = receiversOf({ webhookUrl: 'http://127.0.0.1:1/' })();
    expect(await webhook?.deliver(event())).toMatchObject({
      ok: false,
      refusal: expect.stringContaining('"webhook"'),
    });
  });
});
