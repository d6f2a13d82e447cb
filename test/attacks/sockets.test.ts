import { afterEach, describe, expect, it } from 'vitest';
import { sendRaw } from '../support/raw-http.ts';
import { add, DEV_BODY, outcomeOf, postShot, shot, useTvm, type Shot } from './support.ts';
import { holdsCredentials, statuses, talk, toBytes } from './talk.ts';

const world = useTvm();

function closing(from: Shot): Shot {
  return add(from, 'connection', 'close');
}

function chunkedPost(): Shot {
  return add(postShot(world.tvm), 'transfer-encoding', 'chunked');
}

function chunk(text: string): string {
  return `${text.length.toString(16)}\r\n${text}\r\n`;
}

/** After each test the server still vends, and has logged no bug. */
afterEach(async () => {
  const { tvm } = world;
  const control = outcomeOf(await sendRaw(tvm.port, shot(tvm)));
  if (!control.credentials) throw new Error(`the server does not vend any more: ${control.status}`);
  if (tvm.log().includes('bug of the server')) throw new Error(tvm.log());
});

describe('bytes that are not a request', () => {
  it.each([
    ['garbage', 'garbage\r\n\r\n'],
    ['bytes', String.fromCharCode(...Array.from({ length: 256 }, (_, byte) => byte))],
    ['NULs', '\0'.repeat(1_000)],
    ['the beginning of TLS', '\u0016\u0003\u0001\u0002\0\u0001\0\u0001\u00FC\u0003\u0003'],
    ['the beginning of HTTP/2', 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n'],
    ['HTTP/0.9', 'GET /\r\n'],
    ['an answer', 'HTTP/1.1 200 OK\r\n\r\n'],
    ['100,000 characters without an end', 'x'.repeat(100_000)],
  ])('are answered 400: %s', async (_, bytes) => {
    const text = await talk(world.tvm.port, bytes);
    expect(statuses(text)).toEqual([400]);
    expect(holdsCredentials(text)).toBe(false);
  });

  it.each(['end', 'destroy'] as const)(
    'get no credentials when they are empty or empty lines, then %s',
    async (leave) => {
      for (const bytes of ['', '\r\n', '\r\n\r\n\r\n']) {
        expect(holdsCredentials(await talk(world.tvm.port, bytes, { leave }))).toBe(false);
      }
    },
  );
});

describe('half a request', () => {
  it.each(['end', 'destroy'] as const)(
    'gets 400 or nothing when its head is cut off, then %s',
    async (leave) => {
      const bytes = toBytes(shot(world.tvm));
      for (const length of [1, 3, 10, Math.floor(bytes.length / 2), bytes.length - 1]) {
        const text = await talk(world.tvm.port, bytes.slice(0, length), { leave, patience: 100 });
        expect(statuses(text)).toEqual(leave === 'end' ? [400] : []);
      }
    },
  );

  it.each(['end', 'destroy'] as const)(
    'gets 400 or nothing when its body is too short, then %s',
    async (leave) => {
      for (const sent of ['', '{', DEV_BODY]) {
        const announced = add(
          { ...postShot(world.tvm), body: sent },
          'content-length',
          String(DEV_BODY.length + 1),
        );
        const text = await talk(world.tvm.port, toBytes(announced), { leave, patience: 100 });
        expect(statuses(text)).toEqual(leave === 'end' ? [400] : []);
        expect(holdsCredentials(text)).toBe(false);
      }
    },
  );

  it.each(['end', 'destroy'] as const)(
    'gets 400 or nothing when its chunks do not end, then %s',
    async (leave) => {
      for (const body of [
        '',
        '1',
        chunk(DEV_BODY),
        `${chunk(DEV_BODY)}0\r\n`,
        `ffff\r\n${DEV_BODY}`,
      ]) {
        const text = await talk(world.tvm.port, toBytes({ ...chunkedPost(), body }), {
          leave,
          patience: 100,
        });
        expect(statuses(text)).toEqual(leave === 'end' ? [400] : []);
        expect(holdsCredentials(text)).toBe(false);
      }
    },
  );

  it('gets 400 when its body does not arrive in time', async () => {
    const announced = add({ ...postShot(world.tvm), body: '{' }, 'content-length', '17');
    const text = await talk(world.tvm.port, toBytes(announced), { patience: 15_000 });
    expect(statuses(text)).toEqual([400]);
    expect(text).toContain('The body did not arrive in time');
  });

  it('leaves the server well when the caller goes before the answer', async () => {
    const { tvm } = world;
    for (let round = 0; round < 10; round += 1) {
      const text = await talk(tvm.port, toBytes(shot(tvm)), { leave: 'destroy', patience: round });
      expect([[], [200]]).toContainEqual(statuses(text));
    }
  });
});

describe('more than one request on a connection', () => {
  it('is answered one by one when requests are pipelined', async () => {
    const { tvm } = world;
    const one = shot(tvm);
    const unsigned: Shot = {
      method: 'GET',
      target: '/?profile=dev',
      headers: [['host', tvm.host]],
    };
    const bytes = [
      one,
      shot(tvm),
      one,
      unsigned,
      shot(tvm, { path: '/profiles', query: '' }),
      closing(shot(tvm)),
    ];
    const text = await talk(tvm.port, bytes.map((from) => toBytes(from)).join(''), {
      patience: 2_000,
    });
    expect(statuses(text)).toEqual([200, 200, 403, 403, 200, 200]);
    expect(text.match(/SecretAccessKey/gu)).toHaveLength(3);
  });

  it('is not found inside the body of another request', async () => {
    const { tvm } = world;
    const inner = toBytes(shot(tvm));
    const outer = add({ ...postShot(tvm), body: inner }, 'content-length', String(inner.length));
    const text = await talk(tvm.port, toBytes(closing(outer)));
    expect(statuses(text)).toEqual([403]);
    expect(holdsCredentials(text)).toBe(false);
  });

  it('is not found after a refused body', async () => {
    const { tvm } = world;
    const large = add({ ...postShot(tvm), body: toBytes(shot(tvm)) }, 'content-length', '70000');
    const text = await talk(tvm.port, toBytes(large));
    // The server discards the rest of the body, and may also answer 400 when the sender ends before
    // the body does.
    expect(statuses(text).filter((status) => status !== 400)).toEqual([413]);
    expect(holdsCredentials(text)).toBe(false);
  });

  it('is answered 400 for garbage after a good request', async () => {
    const { tvm } = world;
    const text = await talk(tvm.port, `${toBytes(shot(tvm))}garbage\r\n\r\n`);
    expect(statuses(text).every((status) => status === 200 || status === 400)).toBe(true);
  });
});

describe('other features of HTTP', () => {
  it('serves HTTP/1.0, which must send Host, too', async () => {
    const { tvm } = world;
    expect(statuses(await talk(tvm.port, toBytes(shot(tvm), 'HTTP/1.0')))).toEqual([200]);
    const bare: Shot = { method: 'GET', target: '/healthz', headers: [] };
    expect(statuses(await talk(tvm.port, toBytes(bare, 'HTTP/1.0')))).toEqual([400]);
  });

  it('takes chunks and their extensions, and never takes trailers for headers', async () => {
    const { tvm } = world;
    const [head, tail] = [DEV_BODY.slice(0, 5), DEV_BODY.slice(5)];
    for (const body of [
      `${chunk(head)}${chunk(tail)}0\r\n\r\n`,
      `5;name=value\r\n${head}\r\n${chunk(tail)}0;x\r\n\r\n`,
      `${chunk(DEV_BODY)}0\r\nx-amz-security-token: x\r\nauthorization: x\r\nhost: evil.example\r\n\r\n`,
    ]) {
      expect(statuses(await talk(tvm.port, toBytes(closing({ ...chunkedPost(), body }))))).toEqual([
        200,
      ]);
    }
    const moved = chunkedPost();
    const [authorization] = moved.headers
      .filter(([name]) => name === 'authorization')
      .map(([, value]) => value);
    const headers = moved.headers.filter(([name]) => name !== 'authorization');
    const body = `${chunk(DEV_BODY)}0\r\nauthorization: ${authorization ?? ''}\r\n\r\n`;
    expect(statuses(await talk(tvm.port, toBytes(closing({ ...moved, headers, body }))))).toEqual([
      403,
    ]);
  });

  it('answers 100 to Expect: 100-continue, and 417 to other expectations', async () => {
    const { tvm } = world;
    function expecting(what: string): Shot {
      return closing(
        add(add(postShot(tvm), 'content-length', String(DEV_BODY.length)), 'expect', what),
      );
    }
    expect(statuses(await talk(tvm.port, toBytes(expecting('100-continue'))))).toEqual([100, 200]);
    expect(statuses(await talk(tvm.port, toBytes(expecting('miracles'))))).toEqual([417]);
  });

  it.each([
    ['OPTIONS', '*', 400],
    ['OPTIONS', '/', 405],
    ['TRACE', '/', 405],
    ['DELETE', '/', 405],
    ['PUT', '/?profile=dev', 405],
    ['PROPFIND', '/', 405],
    ['QUERY', '/', 405],
    ['TRACE', '/creds', 404],
    ['HEAD', '/creds', 404],
  ])('answers %s %s with %i', async (method, target, status) => {
    const { tvm } = world;
    const text = await talk(tvm.port, toBytes(closing(shot(tvm, { method, target }))));
    expect(statuses(text)).toEqual([status]);
    expect(holdsCredentials(text)).toBe(false);
  });

  it('refuses CONNECT', async () => {
    const { tvm } = world;
    for (const target of ['127.0.0.1:80', '/', '*']) {
      const text = await talk(tvm.port, toBytes(shot(tvm, { method: 'CONNECT', target })));
      expect(statuses(text).filter((status) => status < 400 || status >= 500)).toEqual([]);
      expect(holdsCredentials(text)).toBe(false);
    }
  });

  it.each(['websocket', 'h2c', 'TLS/1.3'])('ignores an upgrade to %s', async (protocol) => {
    const { tvm } = world;
    const upgrade = add(add(shot(tvm), 'connection', 'upgrade, close'), 'upgrade', protocol);
    const text = await talk(
      tvm.port,
      toBytes(add(upgrade, 'sec-websocket-key', 'dGhlIHNhbXBsZSBub25jZQ==')),
    );
    expect(statuses(text)).toEqual([200]);
  });
});
