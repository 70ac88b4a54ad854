// lambda-events.ts: shows the wrappers for AWS Lambda all values of each header.

/** The headers of an event of API Gateway or of an Application Load Balancer. */
export interface LambdaEvent {
  readonly headers?: object | null;
  readonly multiValueHeaders?: object | null;
}

/**
 * Returns the event with each header once, in lower case, with all its values. Wrappers take the
 * last one where a request has `Authorization` twice; joined values are refused, as over HTTP.
 */
export function joinHeaders<Event extends LambdaEvent>(event: Event): Event {
  const { headers, multiValueHeaders } = event;
  const joined = new Map<string, string>();
  for (const [name, values] of Object.entries(multiValueHeaders ?? headers ?? {})) {
    const key = name.toLowerCase();
    for (const value of [values].flat().filter((each) => typeof each === 'string')) {
      const before = joined.get(key);
      joined.set(key, before === undefined ? value : before + (key === 'cookie' ? '; ' : ', ') + value);
    }
  }
  // An event may have one of the two, and a wrapper answers in the same form.
  return {
    ...event,
    ...(headers ? { headers: Object.fromEntries(joined) } : {}),
    ...(multiValueHeaders
      ? { multiValueHeaders: Object.fromEntries([...joined].map(([name, value]) => [name, [value]])) }
      : {}),
  };
}
