import { API_ID, httpContext, restContext } from '../support/lambda.ts';

/** Fronts of AWS Lambda that verify callers. */
export const FRONTS = ['function-url', 'http-api', 'rest-api'] as const;
export type Front = (typeof FRONTS)[number];

/** The TVM's environment behind a front. */
export function behind(front: Front): Readonly<Record<string, string>> {
  return {
    SENTINEL_FRONT: front,
    SENTINEL_FRONT_ID: API_ID,
  };
}

/** A request as the front received it, and what the front found out about its caller. */
export type Asked = {
  readonly method?: string;
  readonly path?: string;
  /** Without `?`. */
  readonly query?: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string | null;
  readonly isBase64Encoded?: boolean;
  readonly who?: Parameters<typeof httpContext>[0];
  /** Replaces fields of the context. */
  readonly context?: object;
};

type Event = Readonly<Record<string, unknown>>;

const HEADERS = {
  'user-agent': 'curl/8.5.0',
  accept: '*/*',
  'x-forwarded-proto': 'https',
  'x-forwarded-port': '443',
};

/** Payload format 2.0: https://docs.aws.amazon.com/lambda/latest/dg/urls-invocation.html */
function v2Event(domain: string, asked: Asked): Event {
  const {
    method = 'GET',
    path = '/',
    query = '',
    body = null,
    isBase64Encoded = false,
    who,
    context,
  } = asked;
  const http = {
    method,
    path,
    protocol: 'HTTP/1.1',
    sourceIp: '203.0.113.7',
    userAgent: 'curl/8 ünï',
  };
  return {
    version: '2.0',
    routeKey: '$default',
    rawPath: path,
    rawQueryString: query,
    headers: { ...HEADERS, host: domain, 'x-forwarded-for': '203.0.113.7', ...asked.headers },
    ...(query === ''
      ? {}
      : { queryStringParameters: Object.fromEntries(new URLSearchParams(query)) }),
    requestContext: httpContext(who, { domainName: domain, http, ...context }),
    ...(body === null ? {} : { body }),
    isBase64Encoded,
  };
}

function group(pairs: Iterable<readonly [string, string]>): Record<string, string[]> {
  const groups: Record<string, string[]> = {};
  for (const [key, value] of pairs) (groups[key] ??= []).push(value);
  return groups;
}

function listed(values: Readonly<Record<string, string>>): Record<string, string[]> {
  return group(Object.entries(values));
}

/**
 * Payload format 1.0:
 * https://docs.aws.amazon.com/apigateway/latest/developerguide/set-up-lambda-proxy-integrations.html
 */
function v1Event(asked: Asked): Event {
  const {
    method = 'GET',
    path = '/',
    query = '',
    body = null,
    isBase64Encoded = false,
    who,
    context,
  } = asked;
  const host = `${API_ID}.execute-api.us-east-1.amazonaws.com`;
  const headers = {
    ...HEADERS,
    Host: host,
    'X-Forwarded-For': '203.0.113.7, 130.176.1.1',
    ...asked.headers,
  };
  const parameters = [...new URLSearchParams(query)];
  return {
    resource: '/{proxy+}',
    path,
    httpMethod: method,
    headers,
    multiValueHeaders: listed(headers),
    queryStringParameters: query === '' ? null : Object.fromEntries(parameters),
    multiValueQueryStringParameters: query === '' ? null : group(parameters),
    pathParameters: null,
    stageVariables: null,
    requestContext: restContext(who, { httpMethod: method, path: `/prod${path}`, ...context }),
    body,
    isBase64Encoded,
  };
}

/** The event that a front makes of a request. */
export function eventOf(front: Front, asked: Asked = {}): Event {
  if (front === 'rest-api') return v1Event(asked);
  const suffix =
    front === 'http-api' ? 'execute-api.us-east-1.amazonaws.com' : 'lambda-url.us-east-1.on.aws';
  return v2Event(`${API_ID}.${suffix}`, asked);
}

/** A request as an ALB received it. */
export type AskedOfAlb = Pick<Asked, 'method' | 'path' | 'query' | 'body' | 'isBase64Encoded'> & {
  readonly headers: Readonly<Record<string, string>>;
  /** Whether the target group has `lambda.multi_value_headers.enabled`. */
  readonly multiValue?: boolean;
};

/**
 * An ALB leaves the query's escapes as they are:
 * https://docs.aws.amazon.com/elasticloadbalancing/latest/application/lambda-functions.html
 */
export function albEvent(asked: AskedOfAlb): Event {
  const {
    method = 'GET',
    path = '/',
    query = '',
    body = '',
    isBase64Encoded = false,
    multiValue = false,
  } = asked;
  const headers = {
    ...asked.headers,
    'x-forwarded-for': '203.0.113.7',
    'x-forwarded-proto': 'https',
  };
  const pairs = query === '' ? [] : query.split('&').map((pair) => split(pair));
  return {
    requestContext: {
      elb: {
        targetGroupArn:
          'arn:aws:elasticloadbalancing:us-east-1:123456789012:targetgroup/tvm/49e9d65c45c6791a',
      },
    },
    httpMethod: method,
    path,
    ...(multiValue
      ? { multiValueQueryStringParameters: group(pairs), multiValueHeaders: listed(headers) }
      : { queryStringParameters: Object.fromEntries(pairs), headers }),
    body,
    isBase64Encoded,
  };
}

function split(pair: string): readonly [string, string] {
  const [key = '', ...value] = pair.split('=');
  return [key, value.join('=')];
}
