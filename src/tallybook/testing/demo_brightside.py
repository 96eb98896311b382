"""Brightside Coaching, a fictional coach of executives, looks for people who lead others through change."""

from tallybook.testing.demo_traits import trait

TRAITS = (
    trait(
        "leads_a_company",
        "Leads a company",
        20,
        "CEO | founder | managing director | chief of staff | owner-manager | 最高経営責任者",
        headlines="CEO | Founder | Managing Director",
        said="""
            I became managing director at thirty-four.
            Founder of a company that makes quiet keyboards.
            Chief executive officer of a family business.""",
        held_out="""
            Two hundred people look to me for where we go next.
            I started this business at my kitchen table and still sign the pay slips.""",
    ),
    trait(
        "growing_team",
        "Has a growing team",
        15,
        "growing team | building a team | scaling teams | people leader | doubled headcount | we are hiring",
        headlines="People Leader | Building a team of builders",
        said="""
            I lead a growing team across three cities.
            We doubled headcount last year and survived.
            Scaling teams is what I enjoy most.""",
        held_out="""
            A year ago we were five, now the kitchen table seats twenty.
            Every Monday I greet somebody new on our floor.""",
    ),
    trait(
        "in_change",
        "Goes through change",
        15,
        "transformation | restructuring | merger | change management | turnaround | reorganisation",
        headlines="Transformation | Change Management",
        said="""
            Led the merger of two teams that did not like each other.
            Now in the middle of a restructuring.
            I was brought in for a turnaround and stayed.""",
        held_out="""
            Nothing here works as it did last spring, and that was my decision.
            Two companies became one, and I had to explain it to both.""",
    ),
    trait(
        "learns",
        "Invests in learning",
        10,
        "leadership development | mentoring | personal growth | feedback culture | lifelong learner",
        headlines="Lifelong learner | Leadership Development",
        said="""
            Mentoring young managers is the best part of my week.
            I care for a feedback culture in which people speak up.
            I spend every Friday morning on leadership development.""",
        held_out="""
            Every year I pick one thing I am bad at and practise it.
            Younger colleagues come to me on Thursdays, and I learn more than they do.""",
    ),
    trait(
        "wellbeing",
        "Cares for wellbeing",
        10,
        "burnout | /well-?being/ | work-life balance | resilience | mental health | mindfulness",
        headlines="Resilience | Well-being at work",
        said="""
            After my own burnout I changed how we plan.
            I speak openly about mental health.
            Mindfulness before mails, every morning.""",
        held_out="""
            Nobody on my floor answers mails after six, me included.
            Once I worked until I could not get up; I see to it that nobody else does.""",
    ),
    trait(
        "speaks",
        "Speaks in public",
        10,
        "keynote speaker | podcast | TEDx | panelist | conference speaker | author of",
        headlines="Keynote Speaker | Podcast host",
        said="""
            Author of two books on meetings.
            My podcast has eleven listeners, all of them kind.
            Frequent panelist, rarely on time.""",
        held_out="""
            I am often asked to stand on a stage and tell how it went.
            Strangers know my voice from their headphones.""",
        bonus=True,
    ),
    trait(
        "is_coach",
        "Is a coach",
        -20,
        "executive coach | life coach | certified coach | coaching practice | coach trainer | ICF",
        headlines="Executive Coach | Certified Coach",
        said="""
            I run a coaching practice for people over fifty.
            Certified coach since 2015.""",
        held_out="""
            Managers pay me to ask them the questions nobody else asks.
            For an hour a week I help leaders to think aloud; that is my trade.""",
        disqualifying=True,
    ),
    trait(
        "student",
        "Is still studying",
        -10,
        "student | undergraduate | internship | graduate trainee | bachelor thesis",
        headlines="Student of economics",
        said="""
            Writing my bachelor thesis at the moment.
            Undergraduate in Utrecht, third year.""",
        held_out="""
            Two more exams, then I am free.
            I attend lectures in the morning and deliver parcels in the evening.""",
    ),
)
