import { randomUUID } from 'node:crypto';
import { SECOND, type Clock } from '../../lib/clock.ts';
import { ok, refuse, type Result } from '../../lib/result.ts';
import { EMBEDDED_ACCOUNT, EMBEDDED_REGION, type Principal } from './account.ts';
import { NO_KEYS, refusalMessage, whyRefused, type InlinePolicies } from './permissions.ts';
import { errorAnswer, queryAnswer, type Answer, type AwsError, type XmlTree } from './responses.ts';

/** One authentic call of SNS. */
type SnsCall = {
  readonly principal: Principal;
  readonly form: ReadonlyMap<string, string>;
  /** Where it came from. */
  readonly peer: string;
};

type Options = { readonly clock: Clock; readonly inline: InlinePolicies };

const VERSION = '2010-03-31';

/** https://docs.aws.amazon.com/sns/latest/api/API_Publish.html */
const MAX_MESSAGE = 256 * 1024;

/** How long a subscriber may take; SNS's own is 15 s. */
const PATIENCE = 2 * SECOND;

type Outcome = Result<XmlTree, AwsError>;

function invalid(message: string) {
  return refuse<AwsError>({
    code: 'InvalidParameter',
    status: 400,
    message: `Invalid parameter: ${message}`,
  });
}

function arnOf(name: string): string {
  return `arn:aws:sns:${EMBEDDED_REGION}:${EMBEDDED_ACCOUNT}:${name}`;
}

/** A subscriber here is a receiver on this very machine. */
function isReceiver(endpoint: string): boolean {
  if (!URL.canParse(endpoint)) return false;
  const { protocol, hostname } = new URL(endpoint);
  return (
    protocol === 'http:' && /^(?:localhost|127\.\d{1,3}\.\d{1,3}\.\d{1,3}|\[::1\])$/u.test(hostname)
  );
}

/**
 * `MessageAttributes.entry.N.Name`, `.Value.DataType` and `.Value.StringValue`, as SNS hands them
 * on.
 */
function attributesOf(form: ReadonlyMap<string, string>) {
  const attributes: Record<string, { readonly Type: string; readonly Value: string }> = {};
  for (let n = 1; form.has(`MessageAttributes.entry.${n}.Name`); n += 1) {
    const entry = `MessageAttributes.entry.${n}`;
    attributes[form.get(`${entry}.Name`) ?? ''] = {
      Type: form.get(`${entry}.Value.DataType`) ?? '',
      Value: form.get(`${entry}.Value.StringValue`) ?? '',
    };
  }
  return attributes;
}

/**
 * CreateTopic of standard topics, Publish, and Subscribe of http receivers on this machine, which
 * need not confirm. What is published goes to each subscriber once; nobody tries again.
 * https://docs.aws.amazon.com/sns/latest/api/Welcome.html
 */
export function createSns({ clock, inline }: Options) {
  /** The endpoints of subscribers by the topic's ARN. */
  const topics = new Map<string, Set<string>>();

  function createTopic(form: SnsCall['form']): Outcome {
    const name = form.get('Name') ?? '';
    if (!/^[\w-]{1,256}$/u.test(name)) return invalid('Topic Name');
    const arn = arnOf(name);
    if (!topics.has(arn)) topics.set(arn, new Set());
    return ok({ TopicArn: arn });
  }

  function subscribersOf(form: SnsCall['form']): Result<Set<string>, AwsError> {
    const found = topics.get(form.get('TopicArn') ?? '');
    return found === undefined
      ? refuse({ code: 'NotFound', status: 404, message: 'Topic does not exist' })
      : ok(found);
  }

  function subscribe(form: SnsCall['form']): Outcome {
    const subscribers = subscribersOf(form);
    if (!subscribers.ok) return subscribers;
    const endpoint = form.get('Endpoint') ?? '';
    if (form.get('Protocol') !== 'http')
      return invalid('the embedded AWS knows the protocol http only');
    if (!isReceiver(endpoint)) return invalid('Endpoint must be http to this machine');
    subscribers.value.add(endpoint);
    return ok({ SubscriptionArn: `${form.get('TopicArn')}:${randomUUID()}` });
  }

  function publish(form: SnsCall['form']): Outcome {
    const subscribers = subscribersOf(form);
    if (!subscribers.ok) return subscribers;
    const message = form.get('Message') ?? '';
    if (message === '') return invalid('Empty message');
    if (Buffer.byteLength(message) > MAX_MESSAGE) return invalid('Message too long');
    const id = randomUUID();
    const notification = {
      Type: 'Notification',
      MessageId: id,
      TopicArn: form.get('TopicArn'),
      Message: message,
      Timestamp: new Date(clock()).toISOString(),
      MessageAttributes: attributesOf(form),
    };
    for (const endpoint of subscribers.value) void notify(endpoint, notification);
    return ok({ MessageId: id });
  }

  const operations: ReadonlyMap<string, (form: SnsCall['form']) => Outcome> = new Map([
    ['CreateTopic', createTopic],
    ['Subscribe', subscribe],
    ['Publish', publish],
  ]);

  function answer({ principal, form, peer }: SnsCall): Result<Answer, AwsError> {
    const action = form.get('Action') ?? '';
    const operation = form.get('Version') === VERSION ? operations.get(action) : undefined;
    if (operation === undefined) {
      const message = `The action ${action} is not valid for this endpoint.`;
      return refuse({ code: 'InvalidAction', status: 400, message });
    }
    const resource = form.get('TopicArn') ?? arnOf(form.get('Name') ?? '');
    const asked = { action: `sns:${action}`, resource, keys: NO_KEYS };
    const why = whyRefused(principal, asked, { inline, peer, now: clock() });
    if (why !== undefined) {
      const message = refusalMessage(principal, { ...asked, action: `SNS:${action}` }, why);
      return refuse({ code: 'AuthorizationError', status: 403, message });
    }
    const done = operation(form);
    return done.ok ? ok(queryAnswer(action, done.value, 'sns')) : done;
  }

  return function sns(call: SnsCall): Answer {
    const outcome = answer(call);
    return outcome.ok ? outcome.value : errorAnswer('sns', outcome.refusal);
  };
}

/** What a subscriber does with it is its own affair. */
async function notify(
  endpoint: string,
  notification: { readonly MessageId: string },
): Promise<void> {
  try {
    const answer = await fetch(endpoint, {
      method: 'POST',
      headers: {
        'content-type': 'text/plain; charset=UTF-8',
        'x-amz-sns-message-type': 'Notification',
        'x-amz-sns-message-id': notification.MessageId,
      },
      body: JSON.stringify(notification),
      redirect: 'error',
      signal: AbortSignal.timeout(PATIENCE),
    });
    await answer.body?.cancel();
  } catch {
    // SNS would try again; a subscriber on a desk is there or it is not.
  }
}
