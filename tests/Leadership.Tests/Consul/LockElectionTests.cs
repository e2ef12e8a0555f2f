using Mirror.Leadership.Core;
using Mirror.Leadership.Tests.Voting;
using Mirror.Leadership.Voting;
using Mirror.Node.Consul;
using static Mirror.Leadership.Tests.Core.Given;

namespace Mirror.Leadership.Tests.Consul;

public sealed class LockElectionTests : IDisposable
{
    private readonly Locks locks = new(Rules);

    private VirtualTime Time => locks.Time;

    public void Dispose() => locks.Dispose();

    [Fact]
    public void The_configured_primary_of_a_new_site_takes_the_lock_and_epoch_1()
    {
        List<string> said = [];
        var lease = locks.Win("a", said);

        Assert.Equal(1ul, lease.Epoch);
        Assert.True(lease.IsHeld);
        Assert.Equal(1ul, locks.Gate("a").Highest("wiki"));
        Assert.Equal(new LockRecord("a", 0, 0, 0, false, null), locks.Record);
        Assert.Equal(lease.Lock!.Session, locks.Servers.Find(Locks.Key)!.Session);
        Assert.Equal("a is primary of site wiki in epoch 1 from 0.0 on: it holds the lock in Consul.", said[^1]);
    }

    [Fact]
    public void A_lock_is_kept_far_beyond_a_lease_and_nobody_else_gets_it()
    {
        var lease = locks.Win("a");
        locks.Verified["b"] = V(1, 1);
        List<string> said = [];
        var b = locks.Stand("b", said);
        Time.Pass(60);

        Assert.False(b.IsCompleted);
        Assert.True(lease.IsHeld);
        Assert.Single(locks.Servers.Sessions);
        Assert.Equal("a is primary in epoch 1: it holds the lock.", said[^1]);
    }

    [Fact]
    public void A_lock_that_is_given_back_is_had_by_the_next_at_once()
    {
        var lease = locks.Win("a");
        locks.Verified["b"] = V(1, 1);
        var b = locks.Stand("b");
        Time.Pass(1);
        var began = Time.Now;
        Time.Run(() => lease.GiveBackAsync(null, CancellationToken.None));

        var next = Time.Await(b);
        Assert.Equal(2ul, next.Epoch);
        Assert.InRange(Time.Now - began, TimeSpan.Zero, At(0.1));
        Assert.False(lease.IsHeld);
        Assert.Single(locks.Servers.Sessions);
    }

    [Fact]
    public void After_a_hand_over_the_successor_has_the_first_try_and_others_wait_a_lease()
    {
        var lease = locks.Win("a");
        locks.Verified["b"] = locks.Verified["c"] = V(1, 1);
        var b = locks.Stand("b");
        Time.Pass(1);
        Time.Run(() => lease.GiveBackAsync("c", CancellationToken.None));
        Time.Pass(2);
        Assert.False(b.IsCompleted);

        Assert.Equal(2ul, locks.Win("c").Epoch);
        Time.Pass(10);
        Assert.False(b.IsCompleted);
    }

    [Fact]
    public void A_successor_that_does_not_come_keeps_the_others_for_one_lease()
    {
        var lease = locks.Win("a");
        locks.Verified["b"] = V(1, 1);
        var b = locks.Stand("b");
        Time.Run(() => lease.GiveBackAsync("c", CancellationToken.None));
        var took = Time.Until(() => b.IsCompleted);

        Assert.InRange(took, Rules.Lease - At(0.1), Rules.Lease + At(1));
        Assert.Equal(2ul, Time.Await(b).Epoch);
    }

    [Fact]
    public void Who_was_killed_is_replaced_when_its_check_and_then_a_lease_have_run_out()
    {
        var lease = locks.Win("a");
        locks.Verified["b"] = V(1, 1);
        var b = locks.Stand("b");
        Time.Pass(10);
        locks.Kill("a");
        var took = Time.Until(() => b.IsCompleted);

        Assert.False(lease.IsHeld);
        Assert.Equal(2ul, Time.Await(b).Epoch);
        Assert.InRange(took, Rules.Lease, (2 * Rules.Lease) + At(1));
    }

    [Fact]
    public void Who_is_cut_off_from_Consul_has_stopped_before_another_can_have_the_lock()
    {
        var lease = locks.Win("a");
        locks.Verified["b"] = V(1, 1);
        var b = locks.Stand("b");
        Time.Pass(10);
        locks.Agents["a"].IsSilent = true;
        var stopped = Time.Until(() => lease.Lost.IsCancellationRequested);
        Assert.False(b.IsCompleted);
        Assert.False(lease.IsHeld);
        Assert.InRange(stopped, Rules.Lease - Rules.Margin - (Rules.Lease / 3) - At(0.1), Rules.Lease - Rules.Margin);

        var later = Time.Until(() => b.IsCompleted);
        Assert.True(later > Rules.Margin, $"only {later} later");
        Assert.Equal(2ul, Time.Await(b).Epoch);
    }

    [Fact]
    public void Faults_and_silences_of_a_quarter_lease_move_nothing()
    {
        var lease = locks.Win("a");
        locks.Verified["b"] = V(1, 1);
        var b = locks.Stand("b");
        for (var turn = 0; turn < 20; turn++)
        {
            locks.Agents["a"].FailNext = 3;
            Time.Pass(1.3);
            locks.Agents["a"].IsSilent = true;
            Time.Pass(Rules.Lease.TotalSeconds / 4);
            locks.Agents["a"].IsSilent = false;
            Time.Pass(1.7);
        }

        Assert.True(lease.IsHeld);
        Assert.False(b.IsCompleted);
    }

    [Fact]
    public void A_session_that_somebody_ends_is_noticed_within_a_third_of_a_lease_and_the_lock_stays_free_for_one()
    {
        var lease = locks.Win("a");
        locks.Verified["b"] = V(1, 1);
        var b = locks.Stand("b");
        Time.Pass(10);
        var began = Time.Now;
        locks.Servers.EndSessions();
        Time.Until(() => lease.Lost.IsCancellationRequested);
        Assert.InRange(Time.Now - began, TimeSpan.Zero, (Rules.Lease / 3) + At(0.1));
        Time.Until(() => b.IsCompleted);
        Assert.InRange(Time.Now - began, Rules.Lease, Rules.Lease + At(1));
    }

    [Fact]
    public void Servers_that_have_forgotten_all_delays_do_not_let_another_in_before_the_lease_is_over()
    {
        var lease = locks.Win("a");
        locks.Verified["b"] = V(1, 1);
        var b = locks.Stand("b");
        Time.Pass(10);
        locks.Agents["a"].IsSilent = true;
        locks.Servers.EndSessions();
        locks.Servers.Restart();
        Time.Until(() => b.IsCompleted);

        Assert.True(lease.Lost.IsCancellationRequested);
        Assert.Equal(2ul, Time.Await(b).Epoch);
    }

    [Fact]
    public void Servers_that_start_anew_end_no_reign()
    {
        var lease = locks.Win("a");
        Time.Pass(5);
        locks.Servers.Restart();
        locks.Agents["a"].FailNext = 5;
        Time.Pass(30);

        Assert.True(lease.IsHeld);
    }

    [Fact]
    public void An_agent_that_forgets_its_services_ends_the_session_and_the_node_contends_again()
    {
        var lease = locks.Win("a");
        Time.Pass(5);
        locks.Agents["a"].Forget();
        Time.Until(() => lease.Lost.IsCancellationRequested);
        Time.Run(() => lease.DisposeAsync().AsTask());

        var again = locks.Win("a");
        Assert.Equal(2ul, again.Epoch);
        Assert.Single(locks.Servers.Sessions);
    }

    [Fact]
    public void Who_comes_back_after_a_crash_takes_its_own_lock_over_at_once()
    {
        locks.Win("a");
        Time.Pass(5);
        locks.Kill("a");
        locks.Revive("a");
        var began = Time.Now;
        var again = locks.Win("a");

        Assert.Equal(2ul, again.Epoch);
        Assert.InRange(Time.Now - began, TimeSpan.Zero, At(0.1));
        Time.Pass(40);
        Assert.True(again.IsHeld);
        Assert.Single(locks.Servers.Sessions);
    }

    [Fact]
    public void When_the_answer_is_lost_a_lock_that_was_taken_unheard_is_given_back()
    {
        locks.Agents["a"].Slow = At(0.1);
        var a = locks.Stand("a");

        // It has seen the key and has a session; what it hears no more is that it has the lock.
        Time.Pass(0.25);
        locks.Agents["a"].LosesAnswers = true;
        Time.Until(() => locks.Servers.Find(Locks.Key)?.Session is not null, 1);
        Time.Pass(12);
        Assert.False(a.IsCompleted);
        (locks.Agents["a"].LosesAnswers, locks.Agents["a"].Slow) = (false, TimeSpan.Zero);

        var lease = Time.Await(a);
        Assert.True(lease.IsHeld);
        Assert.Equal(lease.Epoch, locks.Servers.Find(Locks.Key)!.LockIndex + locks.Record.Offset);
        Time.Pass(25);
        Assert.Single(locks.Servers.Sessions);
    }

    [Fact]
    public void Whoever_lacks_what_was_called_consistent_does_not_take_the_lock()
    {
        var lease = locks.Win("a");
        locks.Verified["a"] = V(1, 3);
        Assert.True(locks.Raise(lease, V(1, 3)));
        Assert.Equal(V(1, 3), lease.Mark!.Current);
        locks.Verified["b"] = V(1, 2);
        List<string> said = [];
        var b = locks.Stand("b", said);
        Time.Run(() => lease.GiveBackAsync(null, CancellationToken.None));
        Time.Pass(60);
        Assert.False(b.IsCompleted);
        Assert.Equal("b holds 1.2, and 1.3 was called consistent: whoever lacks it does not take the lock.", said[^1]);

        locks.Verified["b"] = V(1, 3);
        var next = Time.Await(b);
        Assert.Equal(V(1, 3), next.Mark!.Current);
        Assert.Equal((1ul, 3ul), (locks.Record.Epoch, locks.Record.Sequence));
    }

    [Fact]
    public void A_version_called_consistent_while_a_candidate_is_about_to_take_the_lock_is_not_passed_over()
    {
        var lease = locks.Win("a");
        locks.Verified["b"] = V(1, 2);
        Time.Run(() => lease.GiveBackAsync(null, CancellationToken.None));
        lease = locks.Win("a");
        locks.Agents["b"].Slow = At(0.3);
        var b = locks.Stand("b");

        // b sees the lock free and asks for a session; meanwhile it is taken, what b lacks becomes consistent, and it is free again.
        Time.Run(() => lease.GiveBackAsync(null, CancellationToken.None));
        Time.Pass(0.35);
        lease = locks.Win("a");
        Assert.True(locks.Raise(lease, V(3, 1)));
        Time.Run(() => lease.GiveBackAsync(null, CancellationToken.None));
        Time.Pass(30);

        Assert.False(b.IsCompleted);
        Assert.Equal((3ul, 1ul), (locks.Record.Epoch, locks.Record.Sequence));
    }

    [Fact]
    public void A_holder_that_has_lost_the_lock_can_call_nothing_consistent_any_more()
    {
        var lease = locks.Win("a");
        locks.Verified["b"] = V(1, 1);
        locks.Servers.EndSessions();
        Time.Run(() => locks.Stand("b"));

        Assert.False(locks.Raise(lease, V(1, 9)));
        Assert.Equal(default, locks.Record.Epoch);
        Assert.Equal("b", locks.Record.Holder);
    }

    [Fact]
    public void A_version_whose_noting_was_not_answered_counts_once_that_is_known()
    {
        var lease = locks.Win("a");
        locks.Agents["a"].LosesAnswers = true;
        Assert.False(locks.Raise(lease, V(1, 2)));
        Assert.Equal(default, lease.Mark!.Current);
        locks.Agents["a"].LosesAnswers = false;
        Time.Pass(2);

        Assert.Equal(V(1, 2), lease.Mark.Current);
        Assert.True(locks.Raise(lease, V(1, 2)));
        Assert.True(lease.IsHeld);
    }

    [Fact]
    public void A_key_that_somebody_else_writes_is_mended_and_nothing_is_forgotten()
    {
        var lease = locks.Win("a");
        Assert.True(locks.Raise(lease, V(1, 2)));
        locks.Servers.Overwrite(Locks.Key, "oops"u8.ToArray());
        Time.Pass(2);
        Assert.Equal(new LockRecord("a", 0, 1, 2, false, null), locks.Record);
        Assert.True(lease.IsHeld);

        locks.Servers.Overwrite(Locks.Key, "oops"u8.ToArray());
        Assert.True(locks.Raise(lease, V(1, 3)));
        Assert.Equal((1ul, 3ul), (locks.Record.Epoch, locks.Record.Sequence));
    }

    [Fact]
    public void A_free_key_that_somebody_else_wrote_is_nobodys()
    {
        locks.Verified["a"] = locks.Verified["b"] = V(1, 1);
        locks.Gossip("a", "b", "c");
        locks.Servers.Overwrite(Locks.Key, "oops"u8.ToArray());
        List<string> said = [];
        var a = locks.Stand("a", said);
        Time.Pass(30);
        Assert.False(a.IsCompleted);
        Assert.StartsWith("The key mirror/test/wiki in Consul holds what Mirror did not write", said[^1], StringComparison.Ordinal);

        locks.Servers.Overwrite(Locks.Key, null);
        var took = Time.Until(() => a.IsCompleted);
        Assert.InRange(took, Rules.Lease - At(0.1), Rules.Lease + At(1));
        Assert.Equal(2ul, Time.Await(a).Epoch);
    }

    [Fact]
    public void A_key_that_is_deleted_fences_its_holder_and_the_epoch_goes_on_from_what_is_known()
    {
        var lease = locks.Win("a");
        locks.Verified["b"] = V(1, 4);
        locks.Gossip("a", "b", "c");
        var b = locks.Stand("b");
        Time.Pass(5);
        locks.Servers.Overwrite(Locks.Key, null);
        Time.Until(() => b.IsCompleted);

        Assert.True(lease.Lost.IsCancellationRequested);
        Assert.Equal(2ul, Time.Await(b).Epoch);
        Assert.Equal((1ul, 1ul), (locks.Record.Offset, locks.Servers.Find(Locks.Key)!.LockIndex));
    }

    [Fact]
    public void A_site_that_voted_before_goes_on_from_its_epoch()
    {
        locks.Gate("a").Admit("wiki", 41);
        locks.Verified["a"] = V(41, 7);
        locks.Gossip("a", "b", "c");
        var a = locks.Stand("a");
        var took = Time.Until(() => a.IsCompleted);

        Assert.Equal(42ul, Time.Await(a).Epoch);
        Assert.InRange(took, Rules.Lease - At(0.1), Rules.Lease + At(1));
        Time.Run(() => Time.Await(a).GiveBackAsync(null, CancellationToken.None));
        Assert.Equal(43ul, locks.Win("a").Epoch);
    }

    [Fact]
    public void Without_a_record_of_what_is_consistent_all_nodes_are_heard_and_the_best_begins()
    {
        (locks.Verified["a"], locks.Verified["b"]) = (V(41, 7), V(41, 9));
        locks.Gossip("a");
        List<string> said = [];
        var a = locks.Stand("a", said);
        Time.Pass(30);
        Assert.Equal(
            "There is no lock of site wiki, which has reached epoch 41, and so no record of what is consistent: waits to hear from b, c; mirror promote does not.", said[^1]);
        locks.Gossip("a", "b", "c");
        Time.Pass(30);
        Assert.Equal("There is no record of what is consistent in site wiki: b holds 41.9, a 41.7.", said[^1]);
        Assert.False(a.IsCompleted);
        Assert.Equal(42ul, locks.Win("b").Epoch);
    }

    [Fact]
    public void Without_a_record_an_operators_word_is_enough()
    {
        locks.Verified["a"] = V(41, 7);
        var a = Time.Begin(() => locks.Of("a").StandNowAsync(() => locks.Verified["a"], _ => { }, CancellationToken.None));
        var took = Time.Until(() => a.IsCompleted);
        Assert.InRange(took, Rules.Lease - At(0.1), Rules.Lease + At(1));
    }

    [Fact]
    public void Indexes_that_go_back_hide_no_change()
    {
        var lease = locks.Win("a");
        locks.Verified["b"] = V(1, 1);
        var b = locks.Stand("b");
        Time.Pass(5);
        locks.Servers.GoBack();
        Time.Pass(5);
        Assert.True(lease.IsHeld);
        var began = Time.Now;
        Time.Run(() => lease.GiveBackAsync(null, CancellationToken.None));
        Time.Await(b);
        Assert.InRange(Time.Now - began, TimeSpan.Zero, At(0.2));
    }

    [Fact]
    public void On_an_operators_word_the_lock_is_still_the_locks()
    {
        var lease = locks.Win("a");
        locks.Verified["b"] = V(1, 1);
        var b = Time.Begin(() => locks.Of("b").StandNowAsync(() => locks.Verified["b"], _ => { }, CancellationToken.None));
        Time.Pass(20);
        Assert.False(b.IsCompleted);
        Assert.True(lease.IsHeld);
        Time.Run(() => lease.GiveBackAsync(null, CancellationToken.None));
        Assert.Equal(2ul, Time.Await(b).Epoch);
    }

    [Fact]
    public void The_best_candidate_comes_first()
    {
        var lease = locks.Win("a");
        (locks.Verified["b"], locks.Verified["c"]) = (V(1, 4), V(1, 5));
        locks.Gossip("b", "c");
        var b = locks.Stand("b");
        var c = locks.Stand("c");
        Time.Run(() => lease.GiveBackAsync(null, CancellationToken.None));
        Time.Await(c);
        Time.Pass(5);
        Assert.False(b.IsCompleted);
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void Whoever_is_cancelled_ends_at_once_whatever_Consul_does(bool silent)
    {
        locks.Win("a");
        locks.Verified["b"] = V(1, 1);
        locks.Agents["b"].IsSilent = silent;
        using var cancel = new CancellationTokenSource();
        var b = locks.Stand("b", null, cancel.Token);
        Time.Pass(1);
        var began = Time.Now;
        cancel.Cancel();
        Time.Until(() => b.IsCompleted);

        Assert.True(b.IsCanceled);
        Assert.Equal(began, Time.Now);
    }

    [Fact]
    public void A_lease_that_is_given_up_while_Consul_is_silent_ends_within_seconds()
    {
        var lease = locks.Win("a");
        locks.Agents["a"].IsSilent = true;
        var began = Time.Now;
        Time.Run(() => lease.GiveBackAsync(null, CancellationToken.None));
        Assert.InRange(Time.Now - began, TimeSpan.Zero, Rules.Lease);
        Assert.False(lease.IsHeld);
    }
}
