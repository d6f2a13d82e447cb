import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, readdirSync, symlinkSync } from 'node:fs';
import { createServer, type AddressInfo } from 'node:net';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { Sha256 } from '@aws-crypto/sha256-js';
import { SignatureV4 } from '@smithy/signature-v4';
import { startEmbeddedAws } from '../src/local/aws/server.ts';
import { DEMO_CLIENTS } from '../src/local/demo.ts';
import { tvmEnvironment } from '../src/local/environment.ts';
import { seed } from '../src/local/seed.ts';

/**
 * `node .scripts/warm.ts CACHE [flag…] BUNDLE`: fills Node's compile cache, so that a server starts
 * without compiling. What Node compiled by its end is in the cache, so the bundle vends once here,
 * against the embedded AWS, and drains. Bundle, flags and Node must be those that will run: for any
 * other, Node passes the cache over.
 *
 * Node keeps a cache for each user id: the image's own user is 65532, and AWS Lambda runs it
 * as 993. https://nodejs.org/api/module.html#module-compile-cache
 */
const USERS = [65_532, 993];
const REGION = 'us-east-1';
const PATIENCE = 60_000;

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, 'close');
  return port;
}

async function vend(port: number): Promise<number> {
  const { accessKeyId, secret: secretAccessKey } = DEMO_CLIENTS.alice;
  const signer = new SignatureV4({
    service: 'execute-api',
    region: REGION,
    credentials: { accessKeyId, secretAccessKey },
    sha256: Sha256,
  });
  const { headers } = await signer.sign({
    method: 'GET',
    protocol: 'http:',
    hostname: '127.0.0.1',
    port,
    path: '/',
    query: { profile: 'dev' },
    headers: { host: `127.0.0.1:${port}` },
  });
  return fetch(`http://127.0.0.1:${port}/?profile=dev`, { headers }).then(
    async (answer) => {
      await answer.arrayBuffer();
      return answer.status;
    },
    () => 0,
  );
}

async function untilVended(port: number): Promise<void> {
  const end = Date.now() + PATIENCE;
  while ((await vend(port)) !== 200) {
    if (Date.now() > end) throw new Error('the bundle has not vended within a minute');
    await sleep(100);
  }
}

async function main([cache = '', ...command]: readonly string[]): Promise<void> {
  const aws = await startEmbeddedAws({ port: 0 });
  await seed({ endpoint: aws.url, region: REGION, report: () => undefined });
  const port = await freePort();
  const env = tvmEnvironment({}, { tvm: port, aws: Number(new URL(aws.url).port) });
  const server = spawn(process.execPath, command, {
    env: { ...env, NODE_COMPILE_CACHE: cache, SENTINEL_LOG_LEVEL: 'error' },
    stdio: ['ignore', 'ignore', 'inherit'],
  });
  const ended = once(server, 'exit') as Promise<[number | null]>;
  await untilVended(port);
  server.kill('SIGTERM');
  const [code] = await ended;
  await aws.close();
  if (code !== 0) throw new Error(`the bundle ended with ${code}`);
  const [made, ...others] = readdirSync(cache);
  if (made === undefined || others.length > 0)
    throw new Error(`${cache} should hold one cache now`);
  // Node writes what only its own user may read.
  for (const file of readdirSync(join(cache, made))) chmodSync(join(cache, made, file), 0o644);
  for (const user of USERS) symlinkSync(made, join(cache, made.replace(/\d+$/u, `${user}`)));
}

await main(process.argv.slice(2));
