// What the functions put on the environment's event bus, and what the rules and users' own rules match. Changing either breaks users' rules.

export const EVENT_SOURCE = 'cloudfront-prewarm';
/** Detail type of the event that announces a request's end. */
export const REQUEST_ENDED = 'PrewarmRequestEnded';
