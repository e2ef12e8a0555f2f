using Microsoft.Extensions.Logging;

namespace Mirror.Leadership.Voting;

internal static partial class Log
{
    [LoggerMessage(2001, LogLevel.Error, "The vote for site {Site} can't be read, this voter abstains: {What}", EventName = "VoterAbstains")]
    public static partial void Abstains(ILogger logger, string site, string what, Exception failure);

    [LoggerMessage(2002, LogLevel.Error, "The vote for site {Site} could not be written to {Path}; it was not given", EventName = "VoteNotWritten")]
    public static partial void VoteNotWritten(ILogger logger, string site, string path, Exception failure);

    [LoggerMessage(2003, LogLevel.Information, "Vote for site {Site}: epoch {Epoch} is {Holder}'s (given back: {GivenBack}, successor: {Successor})", EventName = "Voted")]
    public static partial void Voted(ILogger logger, string site, ulong epoch, string holder, bool givenBack, string? successor);

    [LoggerMessage(2004, LogLevel.Information, "Site {Site}: {Sentence}", EventName = "ElectionTurn")]
    public static partial void Turn(ILogger logger, string site, string sentence);

    [LoggerMessage(2005, LogLevel.Warning, "The lease of site {Site} in epoch {Epoch} is lost: {Why}", EventName = "LeaseLost")]
    public static partial void Lost(ILogger logger, string site, ulong epoch, string why);

    [LoggerMessage(2006, LogLevel.Information, "The lease of site {Site} in epoch {Epoch} was given back to {Accepted} of {Voters} voters (successor: {Successor})", EventName = "LeaseGivenBack")]
    public static partial void GivenBack(ILogger logger, string site, ulong epoch, int accepted, int voters, string? successor);

    [LoggerMessage(2007, LogLevel.Warning, "Voter {Voter} of site {Site} does not renew epoch {Epoch}: {Why}", EventName = "NotRenewed")]
    public static partial void NotRenewed(ILogger logger, string voter, string site, ulong epoch, string why);

    [LoggerMessage(2008, LogLevel.Information, "Voter {Voter} of site {Site} renews epoch {Epoch} again", EventName = "RenewedAgain")]
    public static partial void RenewedAgain(ILogger logger, string voter, string site, ulong epoch);

    [LoggerMessage(2009, LogLevel.Critical, "What had to stop when the lease of site {Site} was lost failed", EventName = "FencingFailed")]
    public static partial void FencingFailed(ILogger logger, string site, Exception failure);

    [LoggerMessage(2010, LogLevel.Warning, "Site {Site}: {Holder} has died; its guard stopped its apps and gave epoch {Epoch} back", EventName = "LastWill")]
    public static partial void LastWill(ILogger logger, string site, string holder, ulong epoch);

    [LoggerMessage(2011, LogLevel.Information, "Site {Site}: epoch {Epoch} was this node's before it was started again, and nothing of then runs any more: its own vote is free", EventName = "OwnPromiseOver")]
    public static partial void Reborn(ILogger logger, string site, ulong epoch);

    [LoggerMessage(2012, LogLevel.Warning, "Site {Site}: automatic failover is {What} by {By} {Reason}", EventName = "FailoverOrdered")]
    public static partial void Ordered(ILogger logger, string site, string what, string by, string reason);
}
