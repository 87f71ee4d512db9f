"""The ways in: how a person or a machine proves who it is, and how long that is believed.

limits         every number, dated and with its source (limits.yml)
rates · locks  how often one may knock; what five wrong tries do
passwords · second_factor · recovery        for accounts of staff
phones · sms · residents · proxies · firms  for residents and firms, by a code on the phone
session_store · sessions                    what is signed in, until when, and how it ends
machines                                    service accounts, their keys and scopes
demands · entering                          which posts ask for more, what an account still owes before it is in
presence                                    (middleware) a person is there; a wall only looks
seals · hashes · own · errors · queries     digests under the installation's key, guards, refusals, reads

Nobody acts yet while a person comes in: these actions take the proof (a password, a code, a link) in place of a post,
write as the process `web`, and record the act in the name of the account. What an account does to itself asks
`own.require`.
"""
