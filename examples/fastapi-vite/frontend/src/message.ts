/** What the page says; edit it while the page is open. */
export const MESSAGE: string = 'Hello through Viaduct'
