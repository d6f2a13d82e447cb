import { EMULATOR, lacksEmulator } from '../lambda/support.ts';
import { builtImage, startContainer, type Container } from '../support/container.ts';
import { startLambdaFront, type OpenFront } from '../support/lambda-front.ts';
import { freePort, tvmVariables } from '../support/processes.ts';
import type { LambdaAnswer } from '../support/runtime-api.ts';
import { startDesk } from '../support/tvm.ts';
import { describeConformance, type Target } from './suite.ts';

const INVOCATIONS = '/2015-03-31/functions/function/invocations';

const INVOCATION_MS = 30_000;

/** The image's own command; the emulator takes the place of its entry point and starts it. */
const COMMAND = ['/nodejs/bin/node', '--enable-source-maps', 'main.mjs'];

/**
 * Waits for the emulator only. The emulator starts the image's program, and the adapter as an
 * extension, when the first event comes.
 */
async function untilItListens(url: string, { child, stderr }: Container): Promise<void> {
  const end = Date.now() + INVOCATION_MS;
  while (Date.now() < end && child.exitCode === null) {
    const listens = await fetch(url, { method: 'HEAD' }).then(
      () => true,
      () => false,
    );
    if (listens) return;
    await new Promise((wake) => setTimeout(wake, 50));
  }
  throw new Error(`AWS’s Runtime Interface Emulator does not listen at ${url}: ${stderr()}`);
}

/**
 * Hands an event to the emulator; rejects with the emulator's text if the function did not answer.
 */
async function invoke(url: string, event: unknown): Promise<LambdaAnswer> {
  const answer = await fetch(`${url}${INVOCATIONS}`, {
    method: 'POST',
    body: JSON.stringify(event),
    signal: AbortSignal.timeout(INVOCATION_MS),
  });
  const text = await answer.text();
  const given = JSON.parse(text) as Partial<LambdaAnswer>;
  // A failed invocation has no status code.
  if (given.statusCode === undefined) throw new Error(text);
  return given as LambdaAnswer;
}

/** The unchanged image, behind its own adapter and AWS's emulator, on the embedded AWS. */
async function startUnderEmulator(front: OpenFront): Promise<Target> {
  const image = builtImage();
  const desk = await startDesk();
  const [port, invokePort, runtimePort] = [await freePort(), await freePort(), await freePort()];
  const url = `http://127.0.0.1:${invokePort}`;
  const variables = {
    ...tvmVariables(port, desk.url),
    AWS_LAMBDA_FUNCTION_NAME: 'sentinel-tvm',
    AWS_LWA_PORT: String(port),
  };
  const addresses = Object.entries({
    '--runtime-interface-emulator-address': `127.0.0.1:${invokePort}`,
    '--runtime-api-address': `127.0.0.1:${runtimePort}`,
  }).flat();
  const container = startContainer(image, variables, {
    options: ['--volume', `${EMULATOR}:/emulator:ro`, '--entrypoint', '/emulator'],
    command: [...addresses, ...COMMAND],
  });
  async function closeWorld(): Promise<void> {
    container.close();
    await desk.close();
  }
  try {
    await untilItListens(url, container);
  } catch (cause) {
    await closeWorld();
    throw cause;
  }
  const served = await startLambdaFront(front, (event) => invoke(url, event));
  async function close(): Promise<void> {
    await served.close();
    await closeWorld();
  }
  return { port: served.port, awsEndpoint: desk.url, resolvesTargets: true, close };
}

const lacking = lacksEmulator();

for (const front of ['alb', 'function-url'] as const) {
  describeConformance(
    `the image under the emulator, behind ${front}`,
    () => startUnderEmulator(front),
    lacking,
  );
}
